/** The schedules' file: what follows from definitions, and that what the scheduler would not keep is told. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../../../shared/engine/define-worker.ts";
import type { Schedule } from "../../../shared/engine/schedule.ts";
import { REPOSITORY, SCHEDULES_FILE } from "../../repository.ts";
import { loadWorkers } from "../../workers.ts";
import { contractFiles } from "../contract.ts";
import { schedulesFile } from "./schedules-file.ts";

const [scheduler] = (await loadWorkers())
  .map(({ definition }) => definition)
  .filter(({ name }) => name === "scheduler");
if (scheduler === undefined) throw new Error("workers/scheduler is missing");

const engine = (schedules: Record<string, Schedule>, name = "files") =>
  defineWorker({
    ...{ name, concurrency: 1, timeoutMs: 1_000 },
    actions: {
      sweep: action({
        version: 3,
        input: z.object({ days: z.int().min(1).default(7) }),
        output: z.object({}),
        handle: () => ({}),
      }),
    },
    schedules: schedules as Record<string, Schedule & { action: "sweep" }>,
  });
const nightly: Schedule = { action: "sweep", cron: "0 2 * * *", timeZone: "Europe/Madrid" };

test("a schedule is named after its engine, and its action becomes the type of its jobs", () => {
  const hourly: Schedule = { action: "sweep", everySeconds: 3_600, input: { days: 2 } };
  expect(
    schedulesFile([engine({ nightly, hourly }), scheduler, engine({ a: nightly }, "books")]),
  ).toEqual([
    { name: "books.a", type: "books.sweep.v3", cron: "0 2 * * *", timeZone: "Europe/Madrid" },
    { name: "files.hourly", type: "files.sweep.v3", everySeconds: 3_600, input: { days: 2 } },
    { name: "files.nightly", type: "files.sweep.v3", cron: "0 2 * * *", timeZone: "Europe/Madrid" },
  ]);
});

const problems: [string, Partial<Record<keyof Schedule, unknown>>, string][] = [
  ["a day that never comes", { cron: "0 0 30 2 *" }, "files.nightly: cron: never comes to pass"],
  ["a minute that isn't", { cron: "61 * * * *" }, "files.nightly: cron: the cron pattern can't be"],
  ["a zone that isn't", { timeZone: "Mars/Olympus" }, '"Mars/Olympus" is no time zone'],
  ["an input its action refuses", { input: { days: 0 } }, "files.nightly: input: days: "],
  [
    "an input of 64 kB",
    { input: { days: 1, x: "x".repeat(65_536) } },
    "files.nightly: input: must not",
  ],
];
test.each(problems)("%s is told", (_what, more, message) => {
  const bad = engine({ nightly: { ...nightly, ...more } as Schedule });
  expect(() => schedulesFile([bad, scheduler])).toThrow(message);
});

test("what a definition may say is what the scheduler keeps, to the last second", () => {
  const most = { everySeconds: 31_622_400, jitterSeconds: 3_600, runLimitSeconds: 2_592_000 };
  const longest: Schedule = { action: "sweep", ...most, catchUp: { windowSeconds: 31_622_400 } };
  expect(schedulesFile([engine({ longest }), scheduler])).toHaveLength(1);
  const put = scheduler.actions.put?.input as z.ZodType;
  const sent = { name: "files.a", type: "files.sweep.v3", everySeconds: 60 };
  expect(put.safeParse(sent).success).toBe(true);
  const beyond = [
    ...Object.entries(most).map(([key, value]) => ({ [key]: value + 1 })),
    { catchUp: { windowSeconds: 31_622_401 } },
    { catchUp: { policy: "all" } },
  ];
  for (const more of beyond) {
    expect(put.safeParse({ ...sent, ...more }).success).toBe(false);
    expect(() =>
      engine({ a: { action: "sweep", everySeconds: 60, ...more } as Schedule }),
    ).toThrow();
  }
});

test("an anchor that is no instant is told; all that is wrong is told at once", () => {
  const bad = engine({
    first: { action: "sweep", everySeconds: 60, anchor: "yesterday" },
    second: { ...nightly, cron: "0 0 31 4 *" },
  });
  expect(() => schedulesFile([bad, scheduler])).toThrow(
    /files\.first: anchor: [\s\S]*files\.second/,
  );
});

test("without a scheduler there is no file, and no schedule may be", async () => {
  expect(schedulesFile([engine({})])).toBeUndefined();
  expect(() => schedulesFile([engine({ nightly })])).toThrow(/no engine is called scheduler/);
  expect((await contractFiles([engine({})])).has(SCHEDULES_FILE)).toBe(false);
});

test("an engine that is gone takes its schedules with it", async () => {
  const text = async (...engines: ReturnType<typeof engine>[]) =>
    JSON.parse((await contractFiles([scheduler, ...engines])).get(SCHEDULES_FILE) ?? "");
  expect(await text(engine({ nightly }))).toHaveLength(1);
  expect(await text()).toEqual([]);
});

test("the repository's is what its definitions say", async () => {
  const definitions = (await loadWorkers()).map(({ definition }) => definition);
  const kept = JSON.parse(readFileSync(join(REPOSITORY, SCHEDULES_FILE), "utf8"));
  expect(kept).toEqual(schedulesFile(definitions));
});
