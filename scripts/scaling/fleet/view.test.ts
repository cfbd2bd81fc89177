/** The live view fits its terminal, and a sparkline shows what was. */
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { sparkline } from "../../show/terminal/sparkline.ts";
import { scaledObjectOf } from "../keda/testing/scaled-object.ts";
import type { Fleet } from "./fleet.ts";
import type { ScaledEngine } from "./scaled-engine.ts";
import { createView } from "./view.ts";

const engine = {
  scaledObject: scaledObjectOf({ maxReplicaCount: 3 }),
  deployment: { replicas: 2, pods: { running: 2, draining: 1, crashLooping: 1 } },
  depth: 12_345,
  error: undefined,
  reasons: "KEDA: active · HPA: metrics want 2",
  totals: { asked: 1, unanswered: 0, peakReplicas: 2 },
} as ScaledEngine;
const fleet = { engines: [engine] } as unknown as Fleet;

test.each([40, 60, 80, 200])("a frame fits %i columns, with colours and without", (columns) => {
  const view = createView(fleet, "tl-engine fleet", [
    "a note that is longer than forty columns are",
  ]);
  for (let i = 0; i < 300; i++) view.sample();
  view.event("activities-1 starts");
  const plain = view.frame({ columns, color: false });
  for (const line of plain) expect(line.length).toBeLessThanOrEqual(columns);
  const strip = (lines: string[]) => lines.map((line) => line.replace(/\d+\.\d s/g, ""));
  const colored = view.frame({ columns, color: true });
  expect(colored.join("")).toContain("\x1b[");
  expect(strip(colored.map(stripVTControlCharacters))).toEqual(strip(plain));
});

test("a frame shows figures, reasons and events", () => {
  const view = createView(fleet, "tl-engine fleet", []);
  view.event("activities: 1 → 2 replicas");
  const frame = view.frame({ columns: 110, color: false }).join("\n");
  expect(frame).toMatch(/activities +12,345 .* 2\/3/);
  expect(frame).toContain("KEDA: active · HPA: metrics want 2 · 1 draining, 1 in CrashLoopBackOff");
  expect(frame).toContain("activities: 1 → 2 replicas");
});

test("what a broker says in a reason or an event does nothing to the terminal", () => {
  const reasons = "KEDA: 500 \u001b]0;x\u0007";
  const view = createView({ engines: [{ ...engine, reasons }] } as unknown as Fleet, "", []);
  view.event("pod \u009b2J");
  const frame = view.frame({ columns: 110, color: false }).join("\n");
  expect(frame).toContain("KEDA: 500 \\u001b]0;x\\u0007");
  expect(frame).toContain("pod \\u009b2J");
  expect(frame.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});

test("a plain line says the same", () => {
  const line = createView(fleet, "", []).line();
  expect(line).toBe("0s  activities depth=12345 replicas=2 running=2 draining=1");
});

test("a sparkline: the newest at the right, the highest full, 0 blank, a little seen", () => {
  expect(sparkline([0, 1, 50, 100], 6)).toBe("   ▁▄█");
  expect(sparkline([1, 2, 3, 4], 2)).toBe("▆█");
  expect(sparkline([0, 0], 3)).toBe("   ");
  expect(sparkline([], 2)).toBe("  ");
});
