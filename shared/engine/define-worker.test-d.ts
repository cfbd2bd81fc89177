/** What must not compile: `tsc` fails where one of these lines is no error any more. */
import { z } from "zod";
import { action, defineWorker } from "./define-worker.ts";

const schemas = { version: 1, input: z.string(), output: z.number() } as const;
const run = action({ ...schemas, handle: () => 1 });
const numbers = { concurrency: 1, timeoutMs: 1_000 };

defineWorker({ name: "right", ...numbers, maxAttempts: 9, transactions: 0, actions: { run } });
defineWorker({
  name: "right",
  ...numbers,
  actions: { run },
  on: { "thing.made": { action: "run", map: String } },
});

defineWorker({
  name: "right",
  ...numbers,
  actions: { run },
  schedules: {
    nightly: { action: "run", cron: "0 2 * * *", timeZone: "America/Mexico_City", input: ["a"] },
    often: {
      ...{ action: "run", everySeconds: 90, anchor: "2026-01-01T00:00:00Z", lane: "bulk" },
      ...{ jitterSeconds: 5, runLimitSeconds: 60, overlap: "allow" },
      catchUp: { policy: "all", windowSeconds: 600 },
    },
  },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error the worker has no such action
  schedules: { nightly: { action: "walk", cron: "0 2 * * *" } },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error timeZone is spelled otherwise
  schedules: { nightly: { action: "run", cron: "0 2 * * *", timezone: "UTC" } },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error windowSeconds is spelled otherwise
  schedules: { nightly: { action: "run", cron: "0 2 * * *", catchUp: { windowMs: 5 } } },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error either a pattern or an interval
  schedules: { nightly: { action: "run", cron: "0 2 * * *", everySeconds: 60 } },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error one of them is needed
  schedules: { nightly: { action: "run" } },
});

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error there is no such policy
  schedules: { nightly: { action: "run", everySeconds: 60, overlap: "queue-all" } },
});

// @ts-expect-error maxAttempts is spelled otherwise
defineWorker({ name: "wrong", ...numbers, maxAttemps: 9, actions: { run } });

defineWorker({
  name: "wrong",
  ...numbers,
  actions: { run },
  // @ts-expect-error the worker has no such action
  on: { "thing.made": { action: "walk", map: String } },
});

// @ts-expect-error a worker has a time limit
defineWorker({ name: "wrong", concurrency: 1, actions: { run } });

// @ts-expect-error one of the two is needed
action({ ...schemas });

// @ts-expect-error an example says what it shows
action({ ...schemas, examples: [{ input: () => "a" }], handle: () => 1 });

// @ts-expect-error one of the two, and not both
action({ ...schemas, handle: () => 1, handleBatch: () => [1] });

action({
  ...schemas,
  // @ts-expect-error the output is a number
  handle: () => "one",
});

action({
  ...schemas,
  handle(text) {
    text.toUpperCase();
    // @ts-expect-error the input is a text
    text.toFixed();
    return 1;
  },
});

action({
  ...schemas,
  emits: { "thing.made": z.object({ id: z.string() }) },
  handle(_text, job) {
    job.emit("thing.made", { id: "1" });
    // @ts-expect-error an event that is not declared
    job.emit("thing.lost", { id: "1" });
    // @ts-expect-error another body than declared
    job.emit("thing.made", { id: 1 });
    return 1;
  },
});

action({
  ...schemas,
  handle(_text, job) {
    // @ts-expect-error no events are declared
    job.emit("thing.made", {});
    return 1;
  },
});
