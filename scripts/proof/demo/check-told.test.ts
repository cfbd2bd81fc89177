import { expect, test } from "vitest";
import { Findings } from "./check.ts";
import { checkTold } from "./check-told.ts";

/** A run in which everybody was told what they should be, once. */
function goodRun() {
  const body = (value: object) => new Map([[JSON.stringify(value), 1]]);
  const notifications = [{ receiverId: "ana", activityId: "e1", reason: "created" }];
  const announced = new Map([
    ["notification.created", new Map([["n/0", body({ notifications })]])],
    [
      "automation.fired",
      new Map([["f/0", body({ ruleId: "done", itemId: "i", event: { epoch: 7 } })]]),
    ],
    ["sla.breached", new Map([["s/0", body({ itemId: "i", breachedAt: "1970-01-01T00:00:09Z" })]])],
  ]);
  return {
    announced,
    mails: [{ messageId: "<1>", to: "ana@tl.example", message: "" }],
    mailRows: [{ messageId: "<1>", state: "sent", address: "ana@tl.example", entries: ["ana e1"] }],
    swept: ["archive i"],
  };
}

const expected = {
  inApp: new Set(["ana e1 created"]),
  mailed: new Set(["ana e1"]),
  fired: new Set(["done i 7"]),
  breached: new Set(["i 9000"]),
  swept: new Set(["archive i"]),
};

test("a good run has no finding, and all of it is counted", () => {
  const findings = new Findings();
  const told = checkTold(goodRun(), expected, findings);
  expect(findings.examples).toEqual([]);
  expect(told).toEqual({ notifications: 1, mails: 1, rulesFired: 1, breaches: 1, swept: 1 });
});

type Run = ReturnType<typeof goodRun>;
const first = (run: Run) => run.mailRows[0] ?? expect.fail();
/** The event comes once more, under another id. */
const twice = (run: Run, type: string) => {
  const events = run.announced.get(type) ?? expect.fail();
  events.set("again", [...events.values()][0] ?? expect.fail());
};

test.each<[string, (run: Run) => void, "lost" | "doubled" | "different"]>([
  ["nobody was notified", (run) => run.announced.get("notification.created")?.clear(), "lost"],
  ["somebody was notified twice", (run) => twice(run, "notification.created"), "doubled"],
  ["no rule fired", (run) => run.announced.get("automation.fired")?.clear(), "lost"],
  ["a rule fired twice", (run) => twice(run, "automation.fired"), "doubled"],
  ["a breach was not told", (run) => run.announced.get("sla.breached")?.clear(), "lost"],
  ["a breach was told twice", (run) => twice(run, "sla.breached"), "doubled"],
  [
    "an event came with two bodies",
    (run) => run.announced.get("sla.breached")?.get("s/0")?.set("{}", 1),
    "doubled",
  ],
  ["nothing was swept", (run) => run.swept.pop(), "lost"],
  ["too much was swept", (run) => run.swept.push("close j"), "different"],
  ["an entry was mailed to nobody", (run) => first(run).entries.pop(), "lost"],
  ["an entry was mailed to a stranger", (run) => first(run).entries.push("eva e1"), "different"],
  ["a mail did not come", (run) => run.mails.pop(), "lost"],
  ["a mail came twice", (run) => run.mails.push(...run.mails), "doubled"],
  [
    "a mail came of no window",
    (run) => run.mails.push({ messageId: "<2>", to: "x", message: "" }),
    "doubled",
  ],
  [
    "a mail went astray",
    (run) => Object.assign(first(run), { address: "eva@tl.example" }),
    "different",
  ],
  [
    "a mail came and is not said to be sent",
    (run) => Object.assign(first(run), { state: "frozen" }),
    "different",
  ],
])("it sees when %s", (_, spoil, fault) => {
  const run = goodRun();
  spoil(run);
  const findings = new Findings();
  checkTold(run, expected, findings);
  expect(findings.counts[fault]).toBeGreaterThan(0);
});
