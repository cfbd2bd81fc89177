/** Measures the engine without services: `node workers/automations/automations.bench.ts`. */
import { atOnce } from "@tl-engine/shared";
import { compileRules, type Facts } from "./rules/compile.ts";
import { explain, isMatch, matchesOf, verdictsOf } from "./rules/evaluate.ts";
import { changesByField } from "./rules/event.ts";
import { readItem } from "./rules/item.ts";
import { readRules } from "./rules/read-rules.ts";
import { Warnings } from "./warnings.ts";

const ITEMS = 100_000;
const RULES = 50;
const NOW_MS = Date.parse("2026-03-31T12:00:00Z");

const PRIORITIES = ["urgent", "high", "medium", "low", "none"];
const GROUPS = ["backlog", "unstarted", "started", "completed", "cancelled"];

/** Rules as people write them: half wait for any update, so that nearly all of their conditions are looked at. */
const rules = Array.from({ length: RULES }, (_, n) => ({
  id: `rule-${n}`,
  trigger: {
    on: "item.updated",
    ...(n % 2 && { fields: [["state", "labels", "priority"][n % 3]] }),
  },
  conditions: {
    all: [
      { field: "priority", op: "in", value: [PRIORITIES[n % 5], PRIORITIES[(n + 1) % 5]] },
      {
        any: [
          { field: "labels", op: "contains", value: `label-${n % 20}` },
          { field: "dueDate", op: "before", value: { days: n % 7 } },
          { field: "name", op: n % 10 === 0 ? "matches" : "contains", value: `item ${n}` },
        ],
      },
      { not: { field: "stateGroup", op: "equals", value: GROUPS[n % 5] } },
    ],
  },
  actions: [{ type: "set", field: "priority", value: "high" }],
}));

const items = Array.from({ length: ITEMS }, (_, n): Facts => {
  const sent = {
    project: `project-${n % 18}`,
    name: `Item ${n}`,
    state: `state-${n % 7}`,
    stateGroup: GROUPS[(n * 7) % 5],
    priority: PRIORITIES[(n * 13) % 5],
    labels: [`label-${n % 20}`, `label-${(n * 3) % 20}`],
    assignees: [`user-${n % 50}`],
    points: n % 8,
    dueDate: new Date(NOW_MS + ((n % 60) - 30) * 86_400_000).toISOString().slice(0, 10),
  };
  const changes = changesByField([{ field: "state", from: "a", to: sent.state }]);
  return {
    item: readItem(sent, ["item"], new Warnings()),
    event: { type: "item.updated", actor: "ada", comment: null, depth: 0, path: [], changes },
    nowMs: NOW_MS,
  };
});

/** Best and median time of some runs, and the best CPU time, which other programs on the machine disturb less. */
function measure(name: string, run: () => number, runs = 5): void {
  const times: number[] = [];
  let leastCpuMs = Number.POSITIVE_INFINITY;
  let count = 0;
  for (let i = 0; i < runs; i++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    count = run();
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    leastCpuMs = Math.min(leastCpuMs, (user + system) / 1_000);
  }
  times.sort((a, b) => a - b);
  const show = (ms = 0) => `${ms.toFixed(0).padStart(5)} ms`;
  console.log(
    `${name.padEnd(44)} best ${show(times[0])}   median ${show(times[runs >> 1])}   CPU ${show(leastCpuMs)}   ${count}`,
  );
}

const compile = () =>
  compileRules(atOnce(readRules(rules, ["rules"], new Warnings())).map(({ rule }) => rule));
const book = compile();
console.log(`${ITEMS} items × ${book.rules.length} rules; the last figure is what was found`);
measure("read and compile the rules, 100 times", () => {
  for (let i = 0; i < 100; i++) compile();
  return 100;
});
measure("matches alone", () =>
  items.reduce((sum, facts) => sum + matchesOf(book, facts).length, 0),
);
measure("a verdict on each rule", () =>
  items.reduce((sum, facts) => sum + verdictsOf(book, facts).filter(isMatch).length, 0),
);
measure("a verdict on each rule, with explanations", () =>
  items.reduce(
    (sum, facts) =>
      sum +
      verdictsOf(book, facts).reduce(
        (failed, verdict) =>
          failed +
          (isMatch(verdict) || verdict.reason !== "conditions"
            ? 0
            : explain(verdict.entry, facts).length),
        0,
      ),
    0,
  ),
);
