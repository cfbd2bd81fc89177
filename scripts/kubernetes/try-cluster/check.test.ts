/** The checker tells each way in which a job can be lost, doubled or failed, and nothing else. */
import { expect, test } from "vitest";
import { check, type Evidence } from "./check.ts";

const texts = (...bodies: string[]) => new Map(bodies.map((body) => [body, 1]));

/** Three jobs of which all is well; redelivered messages are the same ones. */
function good() {
  const ids = ["a", "b", "c"];
  return {
    ids,
    rows: ids.map((jobId) => ({ jobId, status: "succeeded", events: [`ev-${jobId}`] })),
    replies: new Map(ids.map((id) => [id, new Map([["done", 2]])])),
    events: new Map(ids.map((id) => [`ev-${id}`, texts("body")])),
    consumed: new Map([["analytics", ids.map((id) => `ev-${id}`)]]),
  };
}

const judged = (change: (evidence: ReturnType<typeof good>) => void) => {
  const evidence = good();
  change(evidence);
  const { lost, doubled, failed, examples } = check(evidence satisfies Evidence);
  return { faults: [lost, doubled, failed], told: examples.join("\n") };
};

test("all is well", () => {
  expect(judged(() => {})).toEqual({ faults: [0, 0, 0], told: "" });
});

test.each<[string, number[], RegExp, (evidence: ReturnType<typeof good>) => void]>([
  ["no result", [1, 1, 0], /lost: a has no result/, ({ rows }) => rows.shift()],
  ["no reply", [1, 0, 0], /lost: b got no reply/, ({ replies }) => replies.delete("b")],
  ["no event", [1, 0, 0], /ev-c never came/, ({ events }) => events.delete("ev-c")],
  [
    "an event that the next engine did not take",
    [1, 0, 0],
    /analytics did not take its event ev-a/,
    ({ consumed }) => consumed.get("analytics")?.shift(),
  ],
  [
    "two results",
    [0, 1, 0],
    /doubled: a has more than one result/,
    ({ rows }) => rows.push({ jobId: "a", status: "succeeded", events: [] }),
  ],
  [
    "two replies that differ",
    [0, 1, 0],
    /a got 2 replies that differ/,
    ({ replies }) => replies.set("a", texts("one", "two")),
  ],
  [
    "an event in two forms",
    [0, 1, 0],
    /came in 2 forms/,
    ({ events }) => events.set("ev-a", texts("one", "two")),
  ],
  [
    "an event of no result",
    [0, 1, 0],
    /ev-x is an event that no result announced/,
    ({ events }) => events.set("ev-x", texts("body")),
  ],
  [
    "an event that the next engine took twice",
    [0, 1, 0],
    /took its event ev-a 2 times/,
    ({ consumed }) => consumed.get("analytics")?.push("ev-a"),
  ],
  [
    "a job that ended badly",
    [0, 0, 1],
    /failed: b ended as failed/,
    ({ rows }) => Object.assign(rows[1] ?? {}, { status: "failed" }),
  ],
])("%s", (_, faults, told, change) => {
  const verdict = judged(change);
  expect(verdict.faults).toEqual(faults);
  expect(verdict.told).toMatch(told);
});
