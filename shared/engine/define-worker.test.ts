/** What a definition must be, and what the errors for handlers take. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker, type EventSchemas } from "./define-worker.ts";
import { RetryLater } from "./errors.ts";

function define(
  schemas: { input?: z.ZodType; output?: z.ZodType; emits?: EventSchemas },
  map = (event: unknown): unknown => event,
) {
  const { input = z.unknown(), output = z.unknown(), emits = {} } = schemas;
  return defineWorker({
    name: "some",
    concurrency: 1,
    timeoutMs: 1_000,
    actions: { run: action({ version: 1, input, output, emits, handle: () => null }) },
    on: { "thing.made": { action: "run", map } },
  });
}

const asynchronous: [string, z.ZodType][] = [
  ["an async refinement", z.string().refine(async () => true)],
  ["an async transform", z.string().transform(async (text) => text)],
  ["an async preprocess", z.preprocess(async (value) => value, z.string())],
  ["an async check", z.string().check(async () => {})],
  ["a promise", z.promise(z.string())],
  [
    "deep inside",
    z.object({
      a: z.array(
        z
          .record(
            z.string(),
            z.string().refine(async () => true),
          )
          .optional(),
      ),
    }),
  ],
  ["in a union", z.union([z.string(), z.number().refine(async () => true)])],
  ["behind lazy", z.lazy(() => z.string().refine(async () => true))],
];

test.each(["MONTHS", "SOMEMONTHS", "SOME_months", "OTHER_MONTHS"])(
  "the variable %s does not begin with the engine's name, or is none",
  (name) => {
    const some = (env: z.ZodObject) =>
      defineWorker({ name: "some", concurrency: 1, timeoutMs: 1_000, env, actions: {} });
    expect(() => some(z.object({ [name]: z.string() }))).toThrow(`the variable ${name} must begin`);
    expect(some(z.object({ SOME_MONTHS: z.string() })).name).toBe("some");
  },
);

describe("numbers have their range", () => {
  const odd = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5" as never];
  const some = (more: object, ofAction: object = {}) =>
    defineWorker({
      name: "some",
      concurrency: 1,
      timeoutMs: 1_000,
      ...more,
      actions: {
        run: { version: 1, input: z.unknown(), output: z.unknown(), handle: () => 1, ...ofAction },
      },
    });

  test.each([...odd, 1_001])("maxAttempts: %s is none", (maxAttempts) => {
    expect(() => some({ maxAttempts })).toThrow("maxAttempts must be a whole number from 1 to");
  });

  test.each(["maxInputBytes", "maxOutputBytes"])("%s must be one from 1", (name) => {
    for (const bytes of odd)
      expect(() => some({}, { [name]: bytes })).toThrow(`run.${name} must be a whole number`);
  });

  test("what is in range, or left out, is taken", () => {
    some({ maxAttempts: 1 });
    some({ maxAttempts: 1_000 }, { maxInputBytes: 1, maxOutputBytes: 16 * 1024 * 1024 });
    some({ maxAttempts: undefined }, { maxInputBytes: undefined });
  });
});

describe("schemas must be synchronous", () => {
  test.each(asynchronous)("%s is refused in input, output and events", (_, schema) => {
    const told = (place: string) =>
      `the schema run.${place} is asynchronous; schemas must be synchronous`;
    expect(() => define({ input: schema })).toThrow(told("input"));
    expect(() => define({ output: schema })).toThrow(told("output"));
    expect(() => define({ emits: { "a.b": schema } })).toThrow(told("a.b"));
  });

  test("an async map is refused", () => {
    expect(() => define({}, async (event) => event)).toThrow(/map must be synchronous/);
  });

  test("what is synchronous is taken, recursive or not ready yet as it may be", () => {
    interface Tree {
      children: Tree[];
    }
    const tree: z.ZodType<Tree> = z.object({ children: z.lazy(() => z.array(tree)) });
    const notReady: z.ZodType = z.lazy(() => {
      throw new ReferenceError("later");
    });
    const odd = z
      .string()
      .default(() => "")
      .refine(() => true)
      .transform((text) => new URL(text))
      .catch(new URL("http://a"));
    for (const input of [tree, notReady, odd, z.enum(["a"]), z.literal(1)])
      expect(() => define({ input })).not.toThrow();
  });
});

describe("keys and ranges", () => {
  const run = action({ version: 1, input: z.string(), output: z.string(), handle: (text) => text });
  /** As JavaScript, or a cast, lets it pass. */
  const defined = (parts: object, actionParts: object = {}) =>
    defineWorker({
      ...{ name: "some", concurrency: 1, timeoutMs: 1_000 },
      actions: { run: { ...run, ...actionParts } },
      ...parts,
    });

  test.each<[object, object, string]>([
    [{ maxAttemps: 9 }, {}, "maxAttemps is no option, did you mean maxAttempts"],
    [{ retries: 9 }, {}, "retries is no option; there are name, actions, on"],
    [{}, { inptu: 1 }, "run.inptu is no option, did you mean input"],
    [{}, { max_input_bytes: 1 }, "run.max_input_bytes is no option, did you mean maxInputBytes"],
    [{ on: { "a.b": { action: "run", map: String, when: 1 } } }, {}, 'on["a.b"].when is no option'],
    [{ on: { "a.b": { action: "walk", map: String } } }, {}, "names no action"],
    [{ on: { "a.b": { action: "run" } } }, {}, "map must be a function"],
    [{ concurrency: undefined }, {}, "concurrency must be a whole number from 1 to 10,000"],
    [{ concurrency: 0 }, {}, "concurrency must be"],
    [{ timeoutMs: 99 }, {}, "timeoutMs must be a whole number from 100 to 1,500,000"],
    [{ maxAttempts: 0 }, {}, "maxAttempts must be a whole number from 1 to 1,000"],
    [{ maxAttempts: 1_001 }, {}, "maxAttempts must be"],
    [{ maxAttempts: "5" }, {}, "maxAttempts must be"],
    [{ redis: "yes" }, {}, "redis must be true or false"],
    [{ transactions: -1 }, {}, "transactions must be a whole number from 0 to 100"],
    [{ maxHeldBytes: 0 }, {}, "maxHeldBytes must be a whole number from 1 to 1,073,741,824"],
    [{}, { version: 1.5 }, "run.version must be a whole number from 1 to 999,999"],
    [{}, { maxInputBytes: 17 * 1024 * 1024 }, "run.maxInputBytes must be"],
    [{}, { maxOutputBytes: 0 }, "run.maxOutputBytes must be a whole number from 1 to 16,777,216"],
    [{}, { handle: undefined }, "run needs a function as handle, or one as handleBatch"],
    [{}, { handleBatch: () => [] }, "and not both"],
    [{}, { emits: { made: z.string() } }, 'the type "made" must match'],
    [{}, { examples: {} }, "run.examples must be a list"],
    [{}, { examples: [null] }, "run.examples[0] must be an object"],
    [{}, { examples: [{ title: " ", input: String }] }, "run.examples[0].title must say"],
    [{}, { examples: [{ title: "a", input: "a" }] }, "run.examples[0].input must be a synchronous"],
    [{}, { examples: [{ title: "a", input: String, n: 1 }] }, "run.examples[0].n is no option"],
    [{ name: "Some" }, {}, "the name must match"],
  ])("%o %o", (parts, actionParts, message) => {
    expect(() => defined(parts, actionParts)).toThrow(message);
    expect(() => defined(parts, actionParts)).toThrow(TypeError);
  });

  const cron = "0 2 * * *";
  test.each<[object, string]>([
    [{ cron }, "schedules.s.action is undefined; there are run"],
    [{ cron, action: "runn" }, 'schedules.s.action is "runn", did you mean run; there are run'],
    [{ cron, action: "toString" }, 'schedules.s.action is "toString"'],
    [
      { cron, action: "run", timezone: "UTC" },
      "schedules.s.timezone is no option, did you mean timeZone",
    ],
    [{ cron, action: "run", time_zone: "UTC" }, "did you mean timeZone"],
    [{ action: "run" }, "schedules.s needs either cron or everySeconds"],
    [{ action: "run", cron, everySeconds: 60 }, "needs either cron or everySeconds"],
    [{ action: "run", cron: "* * * *" }, "schedules.s.cron must have five fields"],
    [{ action: "run", cron: "0 * * * * *" }, "schedules.s.cron must have five fields"],
    [{ action: "run", cron: `${"0,".repeat(32_768)}0 * * * *` }, "in at most 200 characters"],
    [{ action: "run", cron: 5 }, "schedules.s.cron must have five fields"],
    [{ action: "run", cron, timeZone: 5 }, "schedules.s.timeZone must be a text"],
    [{ action: "run", cron, anchor: "2026-01-01T00:00:00Z" }, "anchor says nothing beside cron"],
    [{ action: "run", everySeconds: 60, timeZone: "UTC" }, "timeZone says nothing beside everySec"],
    [{ action: "run", everySeconds: 0 }, "schedules.s.everySeconds must be a whole number from 1"],
    [{ action: "run", everySeconds: 31_622_401 }, "to 31,622,400"],
    [{ action: "run", everySeconds: 0.5 }, "schedules.s.everySeconds must be a whole number"],
    [
      { action: "run", cron, jitterSeconds: 3_601 },
      "jitterSeconds must be a whole number from 0 to",
    ],
    [
      { action: "run", cron, runLimitSeconds: 0 },
      "runLimitSeconds must be a whole number from 1 to",
    ],
    [{ action: "run", cron, overlap: "queue" }, 'schedules.s.overlap is "queue"; there are skip'],
    [{ action: "run", cron, overlap: "queueone" }, "did you mean queue-one"],
    [{ action: "run", cron, lane: "express" }, 'schedules.s.lane is "express"'],
    [{ action: "run", cron, catchUp: "all" }, "schedules.s.catchUp must be an object"],
    [{ action: "run", cron, catchUp: { windowMs: 1 } }, "catchUp.windowMs is no option"],
    [{ action: "run", cron, catchUp: { policy: "al" } }, "did you mean all"],
    [
      { action: "run", cron, catchUp: { windowSeconds: -1 } },
      "windowSeconds must be a whole number",
    ],
    [{ action: "run", cron, catchUp: { policy: "all" } }, "schedules.s.overlap must be allow"],
  ])("the schedule %o is refused", (schedule, message) => {
    expect(() => defined({ schedules: { s: schedule } })).toThrow(message);
    expect(() => defined({ schedules: { s: schedule } })).toThrow(TypeError);
  });

  test.each(["Sweep", "../sweep", "a.b", "a:b", "", "a".repeat(41)])(
    "a schedule can't be called %j",
    (name) => {
      const schedules = { [name]: { action: "run", cron } };
      expect(() => defined({ schedules })).toThrow("must match");
    },
  );

  test("schedules are objects", () => {
    for (const schedule of [null, "0 2 * * *", [], 5])
      expect(() => defined({ schedules: { s: schedule } })).toThrow(
        "schedules.s must be an object",
      );
  });

  test("the least and the most are taken", () => {
    expect(() => defined({ maxAttempts: 1, transactions: 0 }, { maxOutputBytes: 1 })).not.toThrow();
    const least = { action: "run", everySeconds: 1, jitterSeconds: 0, runLimitSeconds: 1 };
    const longest = { action: "run", everySeconds: 31_622_400, jitterSeconds: 3_600 };
    const schedules = { least, longest, pattern: { action: "run", cron, timeZone: "UTC" } };
    expect(() => defined({ schedules })).not.toThrow();
    const most = { maxInputBytes: 16 * 1024 * 1024, version: 999_999 };
    expect(() => defined({ maxAttempts: 1_000, concurrency: 10_000 }, most)).not.toThrow();
  });
});

describe("RetryLater", () => {
  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "5", null, undefined])(
    "%s is no delay",
    (delayMs) => {
      expect(() => new RetryLater(delayMs as number)).toThrow(RangeError);
      expect(() => new RetryLater(delayMs as number)).toThrow(String(delayMs));
    },
  );

  test.each([0, 0.5, 3_000, 1e12])("%s is one", (delayMs) => {
    expect(new RetryLater(delayMs).delayMs).toBe(delayMs);
  });
});
