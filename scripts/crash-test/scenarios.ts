/** For each planted bug: a short, targeted run in which it does its harm, and what the checker must call it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Category } from "./checker.ts";
import type { Step } from "./engine/steps.ts";
import type { Context, ServiceName } from "./faults/fault.ts";
import type { ActionName } from "./history.ts";

export interface Scenario {
  /** Name of the bug in `bugs.ts`. */
  bug: string;
  /** One of these must be found. */
  caughtAs: Category[];
  workers: number;
  deliveryLimit?: number;
  play(context: Context): Promise<void>;
}

/** Publishes `count` jobs of one action, each `copies` times. */
const publish = (
  { load }: Context,
  action: ActionName,
  count: number,
  input: Record<string, unknown> = {},
  copies = 1,
) => Promise.all(Array.from({ length: count }, () => load.one(action, input, copies)));

/** Kills the first worker when a job of `action` reaches `step`. */
async function killAt(
  context: Context,
  step: Step,
  action: ActionName,
  input = {},
  nth = 3,
): Promise<void> {
  const { slots, history } = context;
  const [slot] = slots;
  if (slot === undefined) return;
  history.append({ kind: "fault", fault: "kill-at-step", phase: "inject", detail: step });
  const exited = slot.nextExit();
  slot.order({ step, signal: "SIGKILL", nth }, `SIGKILL at ${step}`);
  await publish(context, action, 40, input);
  await Promise.race([exited, sleep(20_000)]);
}

/** Takes a service from all workers until the returned function is called. */
function take({ proxies, history }: Context, service: ServiceName): () => void {
  history.append({ kind: "fault", fault: `${service}-refusing`, phase: "inject" });
  const applied = proxies[service].map((proxy) => proxy.apply({ kind: "refuse" }));
  return () => {
    for (const one of applied) one.remove();
  };
}

/** Lets every worker lose its next COMMIT before Postgres sees it. */
async function loseCommits(context: Context): Promise<void> {
  const { proxies, history } = context;
  history.append({ kind: "fault", fault: "commit-lost", phase: "inject" });
  const applied = proxies.postgres.map((proxy) =>
    proxy.apply({ kind: "cutWhen", needle: "COMMIT", lose: "request" }),
  );
  await publish(context, "ledger", 40);
  await Promise.race([Promise.all(applied.map(({ fired }) => fired)), sleep(10_000)]);
  for (const one of applied) one.remove();
}

async function allConsume({ reach, slots }: Context): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await reach.consumers()) >= slots.length) return;
    await sleep(100);
  }
}

export const SCENARIOS: Scenario[] = [
  {
    bug: "ack-before-commit",
    caughtAs: ["lost"],
    workers: 2,
    play: (context) => killAt(context, "committing", "ledger"),
  },
  {
    bug: "copied-headers",
    caughtAs: ["lost"],
    workers: 1,
    /** A death in the engine's own queue, which a delay tier then takes for a cycle. */
    async play({ load, reach }) {
      const death = {
        count: 1,
        reason: "expired",
        queue: reach.engineQueue,
        exchange: "",
        "routing-keys": [reach.engineQueue],
      };
      const headers = { "x-death": [death], "x-first-death-queue": reach.engineQueue };
      for (let count = 0; count < 5; count++) await load.forged("flaky", { failures: 1 }, headers);
    },
  },
  {
    bug: "read-back-after-lost-commit",
    caughtAs: ["double_effects"],
    workers: 2,
    play: loseCommits,
  },
  { bug: "lost-commit-taken-for-done", caughtAs: ["lost"], workers: 2, play: loseCommits },
  {
    bug: "ack-on-stale-channel",
    caughtAs: ["lost", "stuck"],
    workers: 1,
    /** Jobs of tags 21 to 40 end on the old channel while the new one has given 21 to 32 to others. */
    async play(context) {
      const { proxies, history, slots, reach } = context;
      const giveBack = take(context, "redis"); // redelivered jobs run again instead of waiting
      await sleep(300);
      await publish(context, "plain", 20);
      await publish(context, "slow", 20, { durationMs: 5_000 });
      await sleep(500);
      history.append({ kind: "fault", fault: "broker-reset", phase: "inject" });
      for (const proxy of proxies.broker) proxy.reset();
      await allConsume(context);
      await publish(context, "slow", 12, { durationMs: 14_000 });
      for (let tries = 0; tries < 100 && (await reach.rows()).length < 40; tries++)
        await sleep(100);
      await sleep(500);
      slots[0]?.signal("SIGKILL", "killed");
      giveBack();
    },
  },
  {
    bug: "do-nothing-with-own-writes",
    caughtAs: ["double_effects"],
    workers: 2,
    async play(context) {
      const giveBack = take(context, "redis");
      await sleep(300);
      await publish(context, "ledger", 20, {}, 3);
      await sleep(3_000);
      giveBack();
    },
  },
  {
    bug: "claim-without-token",
    caughtAs: ["other"],
    workers: 2,
    async play(context) {
      await publish(context, "external", 30, {}, 4);
    },
  },
  {
    bug: "requeue-instead-of-tier",
    caughtAs: ["stuck"],
    workers: 1,
    async play(context) {
      await publish(context, "flaky", 5, { failures: 1 });
    },
  },
  {
    bug: "reply-before-commit",
    caughtAs: ["double_effects"],
    workers: 2,
    play: (context) => killAt(context, "committing", "ledger"),
  },
  {
    bug: "done-without-row",
    caughtAs: ["lost"],
    workers: 2,
    play: (context) => killAt(context, "committing", "ledger"),
  },
  {
    bug: "delivery-limit-20",
    caughtAs: ["lost", "stuck"],
    workers: 1,
    deliveryLimit: 20,
    async play(context) {
      const { proxies, history } = context;
      const giveBack = take(context, "redis");
      await publish(context, "slow", 5, { durationMs: 14_000 });
      for (let closed = 0; closed < 23; closed++) {
        await allConsume(context);
        await sleep(100);
        history.append({ kind: "fault", fault: "broker-reset", phase: "inject" });
        for (const proxy of proxies.broker) proxy.reset();
        await sleep(300);
      }
      giveBack();
    },
  },
  {
    bug: "unsorted-groups",
    caughtAs: ["other"],
    workers: 2,
    async play(context) {
      const giveBack = take(context, "redis");
      await sleep(300);
      for (let round = 0; round < 40 && (await context.reach.deadlocks()) === 0; round++)
        await publish(context, "batch", 12, {}, 4);
      await sleep(2_000);
      giveBack();
    },
  },
  {
    bug: "random-event-ids",
    caughtAs: ["double_effects"],
    workers: 1,
    async play(context) {
      await publish(context, "ledger", 10);
    },
  },
  {
    bug: "attempt-before-tier",
    caughtAs: ["lost"],
    workers: 1,
    // At the first time: with the bug that is before any tier publish, while a later one may come after it.
    play: (context) => killAt(context, "attempt-recorded", "flaky", { failures: 1 }, 1),
  },
  {
    bug: "no-resend",
    caughtAs: ["lost"],
    workers: 2,
    play: (context) => killAt(context, "committed", "ledger"),
  },
  {
    bug: "redelivery-counts",
    caughtAs: ["attempts_burned"],
    workers: 2,
    play: (context) => killAt(context, "claimed", "ledger"),
  },
  {
    bug: "guilty-by-neighbourhood",
    caughtAs: ["quarantined_wrongly"],
    workers: 2,
    play: (context) => killAt(context, "claimed", "slow", { durationMs: 500 }),
  },
];
