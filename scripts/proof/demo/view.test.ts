import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { wantsColor } from "../../show/terminal/paint.ts";
import { renderTable } from "../../show/terminal/table.ts";
import { renderFrame, renderLine, type View } from "./view.ts";

const view: View = {
  title: "tl-engine demo",
  phase: "replaying",
  scaling: "scaled from keda/*.yaml, clocks × 100",
  elapsedS: 12.34,
  published: 14_687,
  engines: [
    {
      name: "activities",
      waiting: 5_321,
      running: 64,
      done: 9_014,
      total: 14_399,
      perSecond: 1_204,
      replicas: 2,
      maxReplicas: 3,
    },
    {
      name: "analytics",
      waiting: 210,
      running: 500,
      done: 8_201,
      total: 14_399,
      perSecond: 1_101,
      replicas: 1,
      maxReplicas: 1,
    },
  ],
};

test.each([40, 60, 80, 200])("a frame fits %i columns, with colours and without", (columns) => {
  const plain = renderFrame(view, { columns, color: false });
  for (const line of plain) expect(line.length).toBeLessThanOrEqual(columns);
  const colored = renderFrame(view, { columns, color: true });
  expect(colored.join("")).toContain("\x1b[");
  expect(colored.map(stripVTControlCharacters)).toEqual(plain);
});

test("a frame shows the figures of each engine", () => {
  const frame = renderFrame(view, { columns: 80, color: false }).join("\n");
  expect(frame).toMatch(/activities +5,321 +64 +9,014 +1,204 +●●○/);
  expect(frame).toMatch(/59 %/);
  expect(frame).toContain("12.3 s");
});

test("a plain line says the same", () => {
  expect(renderLine(view)).toBe(
    "12s  replaying  published=14687  activities waiting=5321 running=64 done=9014/14399 per_s=1204 replicas=2  analytics waiting=210 running=500 done=8201/14399 per_s=1101 replicas=1",
  );
});

test("nothing to do is no division by zero", () => {
  const empty = {
    ...view,
    engines: view.engines.map((engine) => ({ ...engine, done: 0, total: 0 })),
  };
  expect(renderFrame(empty, { columns: 80, color: false })[1]).toMatch(/ 0 %$/);
});

test("colour is for terminals that want it", () => {
  expect(wantsColor({ isTTY: true }, {})).toBe(true);
  expect(wantsColor({ isTTY: true }, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColor({ isTTY: true }, { TERM: "dumb" })).toBe(false);
  expect(wantsColor({}, {})).toBe(false);
});

test("a table is aligned", () => {
  const columns = [
    { title: "project", align: "left" },
    { title: "items", align: "right" },
  ] as const;
  expect(
    renderTable(
      [...columns],
      [
        ["P1", "1,019"],
        ["P10", "11"],
      ],
    ),
  ).toEqual(["project  items", "───────  ─────", "P1       1,019", "P10         11"]);
});
