/** What is compared beside schemas: engines, actions, versions, events, codes, ceilings; and how a break is told. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REPOSITORY } from "../../../repository.ts";
import { loadWorkers } from "../../../workers.ts";
import { type EngineContract, engineContract } from "../../contract.ts";
import { BASELINE, compatibilityReport, writeBaseline } from "./baseline.ts";
import { breakText, contractBreaks } from "./contract-breaks.ts";

const object = (properties: object = {}) => ({ type: "object" as const, properties });

const engine = (): EngineContract => ({
  engine: "tiny",
  timeoutMs: 1_000,
  maxAttempts: 5,
  longestReplyMs: 60_000,
  order: "none",
  actions: {
    act: {
      ...{ type: "tiny.act.v1", version: 1, maxInputBytes: 2_000, maxOutputBytes: 3_000 },
      emits: ["thing.made"],
      examples: [],
      input: object({ a: { type: "string", maxLength: 9 } }) as never,
      output: object({ b: { type: "string" } }) as never,
    },
  },
  events: { "thing.made": object({ c: { type: "string" } }) as never },
  errorCodes: ["rejected", "expired"],
});

type Act = EngineContract["actions"][string];

/** What is found when the engine, or its action, changes in one direction, and in the other. */
function both(edit: (engine: EngineContract, act: Act) => void) {
  const newer = engine();
  edit(newer, newer.actions.act as Act);
  const told = (older: EngineContract[], now: EngineContract[]) =>
    contractBreaks(older, now).map(
      ({ isWarning, of, part, pointer }) =>
        `${isWarning ? "warning " : ""}${of} ${part} ${pointer}`,
    );
  return [told([engine()], [newer]), told([newer], [engine()])];
}

test.each<[string, (engine: EngineContract, act: Act) => void, string[], string[]]>([
  ["nothing", () => {}, [], []],
  ["an action", (one) => delete one.actions.act, ["tiny.act.v1 action /actions/act"], []],
  [
    "a version",
    (_, act) => Object.assign(act, { version: 2, type: "tiny.act.v2" }),
    ["tiny.act.v1 action /actions/act/version"],
    ["tiny.act.v2 action /actions/act/version"],
  ],
  [
    "an event",
    (one) => delete one.events["thing.made"],
    ["thing.made event /events/thing.made"],
    [],
  ],
  [
    "a field of an event",
    (one) => Object.assign(one.events["thing.made"] as object, object()),
    ["thing.made event /events/thing.made/properties/c"],
    [],
  ],
  ["what it emits", (_, act) => act.emits.pop(), ["tiny.act.v1 emits /actions/act/emits"], []],
  [
    "an error code",
    (one) => one.errorCodes.pop(),
    [" error codes /errorCodes"],
    ["warning  error codes /errorCodes"],
  ],
  [
    "the ceiling of inputs",
    (_, act) => Object.assign(act, { maxInputBytes: 1_999 }),
    ["tiny.act.v1 limit /actions/act/maxInputBytes"],
    [],
  ],
  [
    "the ceiling of outputs",
    (_, act) => Object.assign(act, { maxOutputBytes: 2_999 }),
    ["tiny.act.v1 limit /actions/act/maxOutputBytes"],
    ["warning tiny.act.v1 limit /actions/act/maxOutputBytes"],
  ],
  [
    "times and runs",
    (one) => Object.assign(one, { timeoutMs: 900, maxAttempts: 4, longestReplyMs: 70_000 }),
    ["warning  limit /timeoutMs", "warning  limit /maxAttempts", "warning  limit /longestReplyMs"],
    [],
  ],
  [
    "a field of the output",
    (_, act) => Object.assign(act.output, object()),
    ["tiny.act.v1 output /actions/act/output/properties/b"],
    [],
  ],
  [
    "a field of the input",
    (_, act) => Object.assign(act.input, object({ a: { type: "string", maxLength: 8 } })),
    ["tiny.act.v1 input /actions/act/input/properties/a/maxLength"],
    [],
  ],
])("%s", (_, edit, there, back) => {
  expect(both(edit)).toEqual([there, back]);
});

test("an engine that is gone is a break, one more is none", () => {
  expect(contractBreaks([engine()], [])).toMatchObject([{ engine: "tiny", isWarning: false }]);
  expect(contractBreaks([], [engine()])).toEqual([]);
});

test("a break says where, in which file, what changed and what to do", () => {
  const newer = engine();
  Object.assign(
    newer.actions.act?.input as object,
    object({ a: { type: "string", maxLength: 8 } }),
  );
  const [found] = contractBreaks([engine()], [newer]);
  const text = found && breakText(found, { baseline: "old.json", current: "new.json" });
  expect(text).toBe(
    [
      "break: tiny.act.v1 input `a`: maxLength was 9 and is 8: what was valid may be refused",
      "  at new.json#/actions/act/input/properties/a/maxLength",
      "  keep tiny.act.v1 as it was and give the change to a new action beside it; once nobody publishes tiny.act.v1, take it out in a release with a new major version.",
    ].join("\n"),
  );
});

const current = (await loadWorkers())
  .map(({ definition }) => engineContract(definition))
  .filter((one) => one !== undefined);

test("a release's baseline is what is compared with from then on", async () => {
  const root = await mkdtemp(join(tmpdir(), "baseline-"));
  try {
    expect(await compatibilityReport(root, [engine()])).toEqual({ lines: [], breaks: 0 });
    await mkdir(join(root, BASELINE), { recursive: true });
    await writeFile(join(root, "docs/contract/tiny.json"), JSON.stringify(engine()));
    await writeFile(
      join(root, BASELINE, "gone.json"),
      JSON.stringify({ ...engine(), engine: "gone" }),
    );
    const before = await compatibilityReport(root, [engine()]);
    expect(before.breaks).toBe(1);
    expect(before.lines[0]).toContain("docs/contract/baseline/gone.json#");
    expect(await writeBaseline(root, ["tiny"])).toEqual([`${BASELINE}/tiny.json`]);
    expect(await compatibilityReport(root, [engine()])).toEqual({ lines: [], breaks: 0 });
    await writeFile(join(root, BASELINE, "tiny.json"), "<<<<<<<");
    await expect(compatibilityReport(root, [])).rejects.toThrow(
      "docs/contract/baseline/tiny.json is no JSON; take it from the last release",
    );
  } finally {
    await rm(root, { recursive: true });
  }
});

test("what engines promise today keeps what the last release promised", async () => {
  const report = await compatibilityReport(REPOSITORY, current);
  expect(report.lines.filter((line) => line.startsWith("break"))).toEqual([]);
  const names = current.map(({ engine: name }) => name);
  // Of each engine there is a promise that can be broken.
  const [first = ""] = names;
  expect(
    JSON.parse(await readFile(join(REPOSITORY, BASELINE, `${first}.json`), "utf8")).engine,
  ).toBe(first);
  expect((await compatibilityReport(REPOSITORY, [])).breaks).toBeGreaterThan(0);
});
