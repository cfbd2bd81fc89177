/** Pairs of an entry and a follower per second on one core: `node workers/notifications/notifications.bench.ts`. */
import { performance } from "node:perf_hooks";
import { atOnce } from "@tl-engine/shared";
import { answer } from "./recipients/answer.ts";
import { mention } from "./recipients/told.fixture.ts";
import { RecipientsInput, RecipientsOutput } from "./schemas/recipients.ts";

const ROUND_MS = 1_000;
const ROUNDS = 5;

/** A change of some fields, one of them a comment. */
function change(subscribers: number, entries: number) {
  const people = Array.from({ length: subscribers }, (_, n) => `person-${n}`);
  return {
    ...{ type: "issue.activity.updated", issue: { id: "i", createdBy: "person-1" } },
    ...{ actorId: "person-0", assignees: ["person-2"], subscribers: people },
    members: people.map((id) => ({ id })),
    activities: Array.from({ length: entries }, (_, n) => ({
      ...{ id: `entry-${n}`, field: ["state", "comment", "priority"][n % 3] },
      newValue: `<p>${"word ".repeat(40)}${n % 3 === 1 ? mention("person-3") : ""}</p>`,
    })),
  };
}

/** The best of some rounds, since other programs only ever slow one down. */
function perSecond(pairs: number, work: () => void): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS) {
      work();
      count += pairs;
    }
    best = Math.max(best, (count / (performance.now() - start)) * 1_000);
  }
  return Math.round(best);
}

/** Input, judgement and output, from and to bytes: all that a job costs the engine itself. */
function measure(subscribers: number, entries: number): number {
  const body = JSON.stringify(change(subscribers, entries));
  return perSecond(subscribers * entries, () => {
    const told = atOnce(answer(RecipientsInput.parse(JSON.parse(body))));
    JSON.stringify(RecipientsOutput.parse(told));
  });
}

const figures = {
  "10_followers_2_entries": measure(10, 2),
  "40_followers_5_entries": measure(40, 5),
  "1000_followers_20_entries": measure(1_000, 20),
};
const shown = Object.entries(figures).map(([name, figure]) => `${name}=${figure}`);
console.log(`notifications: pairs per second and core: ${shown.join(" ")}`);
