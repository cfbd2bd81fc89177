/** The published schema and the engine agree: what one takes the other takes, as far as JSON Schema can say it. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { Action } from "../../../shared/engine/define-worker.ts";
import { inputSchema } from "../../../shared/engine/published-schema.ts";
import { respelt } from "../../../shared/testing/respelt.ts";
import { arbitraryOf } from "../../../shared/testing/schema-arbitrary.ts";
import { faultsIn } from "../../../shared/testing/schema-faults.ts";
import { loadWorkers } from "../../workers.ts";
import { callableActions } from "./types.ts";

// Many runs on a busy machine take their time.
vi.setConfig({ testTimeout: 120_000 });

const actions = (await loadWorkers()).flatMap(({ definition }) =>
  callableActions(definition).map(([name, action]: [string, Action]) => ({
    name: `${definition.name}.${name}`,
    action,
    schema: inputSchema(action.input, "published"),
  })),
);

/** Elements of a list: enough for any rule but ceilings, which have tests of their own. */
const MOST = 4;

/** As it travels: no undefined, no NaN. */
const onTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? "null");

/** A good input in any spelling. */
const spelt = (action: Action) =>
  fc
    .tuple(
      arbitraryOf(action.input, MOST),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
    )
    .map(([input, chances]) => {
      const random = () => chances.next().value as number;
      return onTheWire(respelt(action.input, onTheWire(input), random));
    });

/** What only code can check. */
const BEYOND_JSON_SCHEMA =
  /time zone|`to` is before|window is longer|changes together|not JSON|expected record, received|must not hold a NUL|at most \d+ elements|followers in all|before the year|cron|between the years|of the engine that the name begins with|must be allow where|never comes to pass|give either|minutes? of|not be larger than/;

/** To judge random patterns of cron takes minutes; `workers/scheduler/spec.test.ts` tries it on chosen ones. */
const UNGENERATED = new Set(["scheduler.put"]);
const generated = actions.filter(({ name }) => !UNGENERATED.has(name));

describe.each(generated)("$name", ({ action, schema }) => {
  const refusal = (sent: unknown) => action.input.safeParse(sent).error?.issues ?? [];

  test("whatever the engine takes, the schema takes", () => {
    let taken = 0;
    fc.assert(
      fc.property(spelt(action), (sent) => {
        if (refusal(sent).length > 0) return;
        taken += 1;
        expect(faultsIn(schema, sent)).toEqual([]);
      }),
      // To shrink what each takes a while to judge, such as a cron pattern, would take minutes.
      { numRuns: 100, endOnFailure: true },
    );
    expect(taken).toBeGreaterThan(30);
  });

  test("whatever the schema takes, the engine takes, but for what only code can check", () => {
    let refused = 0;
    fc.assert(
      fc.property(spelt(action), fc.nat(), fc.jsonValue(), (good, at, value) => {
        const sent = spoilt(good, at, value);
        const issues = refusal(sent);
        if (issues.length === 0) return;
        refused += 1;
        if (issues.some(({ message }) => BEYOND_JSON_SCHEMA.test(message))) return;
        expect(faultsIn(schema, sent)).not.toEqual([]);
      }),
      // To shrink what each takes a while to judge, such as a cron pattern, would take minutes.
      { numRuns: 100, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(5);
  });

  test("its examples fit", () => {
    for (const { input } of action.examples ?? [])
      expect(faultsIn(schema, input(0, "acme"))).toEqual([]);
  });

  test("a body that is nothing like it does not", () => {
    const all = [null, [], "text", 7, {}];
    // One that demands nothing takes what says nothing.
    const wrong = action.input.safeParse({}).success ? all.slice(0, -1) : all;
    for (const sent of wrong) expect(faultsIn(schema, sent)).not.toEqual([]);
  });
});

/** With one value, somewhere near the top, replaced, or taken out. */
function spoilt(good: unknown, at: number, value: unknown): unknown {
  if (typeof good !== "object" || good === null || Array.isArray(good)) return value;
  const keys = Object.keys(good);
  const key = keys[at % keys.length];
  if (key === undefined) return value;
  const { [key]: old, ...others } = good as Record<string, unknown>;
  if (at % 5 === 0) return others;
  return { ...others, [key]: at % 5 === 1 ? spoilt(old, Math.floor(at / 5), value) : value };
}

test("a day that is none is refused by both, whether or not formats are checked", () => {
  const flow = actions.find(({ name }) => name === "analytics.flow");
  const sent = { scope: { project_id: "p" }, window: { from: "2026-02-30", to: "2026-03-01" } };
  expect(flow?.action.input.safeParse(sent).success).toBe(false);
  expect(faultsIn(flow?.schema ?? {}, sent)).not.toEqual([]);
});

test("the body that README's Python program sends", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, body = ""] = /body=json\.dumps\((\{.*?\n {4}\})\)/s.exec(readme) ?? [];
  const sent = JSON.parse(body.replace("time.time()", "1760000000.5").replace(/,(\s*\})$/, "$1"));
  expect(Object.keys(sent)).toContain("issue_id");
  const record = actions.find(({ name }) => name === "activities.record");
  expect(faultsIn(record?.schema ?? {}, sent)).toEqual([]);
  expect(record?.action.input.safeParse(sent).success).toBe(true);
});

const folder =
  process.env.TL_DATA_DIR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
const callsFile = `${folder}/plane-calls.ndjson`;
const isThere = existsSync(callsFile);
if (!isThere) console.warn(`skipped: Plane's calls are not at ${callsFile} (set TL_DATA_DIR)`);

describe.skipIf(!isThere)("Plane's own calls, as they travel to Celery", () => {
  const lines = isThere ? readFileSync(callsFile, "utf8").trim().split("\n") : [];
  const record = actions.find(({ name }) => name === "activities.record");
  const calls = lines.map((line, index) => ({ line: index + 1, ...JSON.parse(line) }));

  test.each(calls)("line $line: $call.type", ({ call, additions, lookups }) => {
    const sent = { ...call, ...additions, lookups };
    const parsed = record?.action.input.safeParse(sent);
    expect(parsed?.data).not.toHaveProperty("keyWarnings");
    expect(parsed?.success).toBe(true);
    expect(faultsIn(record?.schema ?? {}, sent)).toEqual([]);
  });
});
