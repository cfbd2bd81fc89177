/** Faults of worker processes: killed, frozen, told to stop, out of memory, blocked, with a wrong clock. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Step } from "../engine/steps.ts";
import type { Slot } from "../supervisor.ts";
import type { Context, Fault } from "./fault.ts";

const STEP_TIMEOUT_MS = 5_000;

/** Publishes what makes some job reach a step that ordinary load reaches rarely. */
function provoke({ load }: Context, step: Step): void {
  if (step === "tiered" || step === "attempt-recorded")
    for (let count = 0; count < 6; count++) void load.one("flaky", { failures: 1 }, 2);
  if (step === "dead-lettered") for (let count = 0; count < 6; count++) void load.one("rejects");
  if (step === "in-transaction")
    for (let count = 0; count < 6; count++) void load.one("ledger", {}, 2);
}

/** Resolves true when `happened` does in time. */
const inTime = (happened: Promise<unknown>, timeoutMs: number) =>
  Promise.race([happened.then(() => true), sleep(timeoutMs, false)]);

async function signalAtStep(context: Context, signal: "SIGKILL" | "SIGTERM"): Promise<undefined> {
  const step = context.nextStep();
  const slot = context.random.pick(context.slots);
  context.note(`${slot.name} at ${step}`);
  const exited = slot.nextExit();
  slot.order(
    { step, signal, nth: context.random.between(1, step === "in-transaction" ? 2 : 8) },
    `${signal} at ${step}`,
  );
  provoke(context, step);
  void context.load.burst(20);
  if (await inTime(exited, signal === "SIGTERM" ? STEP_TIMEOUT_MS * 4 : STEP_TIMEOUT_MS)) return;
  slot.disarm();
  context.note(`${step} was not reached in time`);
}

/** Freezes one worker at a step, past its lease. */
async function freeze(context: Context, step: Step): Promise<() => void> {
  const slot = context.random.pick(context.slots);
  context.note(`${slot.name} at ${step}`);
  slot.order({ step, signal: "SIGSTOP", nth: 1 }, "frozen");
  provoke(context, step);
  await context.load.burst(20);
  return () => {
    slot.disarm();
    slot.signal("SIGCONT", "thawed");
  };
}

/** Stops one worker in an orderly way; the next process in its place gets `extra` as environment. */
function restartWith(slot: Slot, extra: Record<string, string>): void {
  slot.setExtra(extra);
  slot.signal("SIGTERM", "restarted with another clock");
}

function skewClock(kind: string, skewMs: number): Fault {
  return {
    kind,
    touches: ["workers"],
    weight: 1,
    holdMs: 3_000,
    inject(context) {
      const slot = context.random.pick(context.slots);
      restartWith(slot, { CLOCK_SKEW_MS: String(skewMs) });
      return () => restartWith(slot, {});
    },
  };
}

export function processFaults(leaseMs: number): Fault[] {
  const past = leaseMs + 1_500;
  return [
    {
      kind: "kill-at-step",
      touches: ["workers"],
      weight: 12,
      holdMs: 0,
      inject: (context) => signalAtStep(context, "SIGKILL"),
    },
    {
      kind: "kill-any",
      touches: ["workers"],
      weight: 2,
      holdMs: 300,
      inject(context) {
        context.random.pick(context.slots).signal("SIGKILL", "killed");
        return undefined;
      },
    },
    {
      kind: "frozen-past-lease",
      touches: ["workers"],
      weight: 2,
      holdMs: past,
      inject: (context) =>
        freeze(
          context,
          context.random.pick(["claimed", "ran", "committing", "committed"] as const),
        ),
    },
    {
      kind: "frozen-in-transaction",
      touches: ["workers"],
      weight: 2,
      holdMs: past,
      inject: (context) => freeze(context, "in-transaction"),
    },
    {
      kind: "sigterm-at-step",
      touches: ["workers"],
      weight: 4,
      holdMs: 0,
      inject: (context) => signalAtStep(context, "SIGTERM"),
    },
    {
      kind: "sigterm-twice",
      touches: ["workers"],
      weight: 1,
      holdMs: 0,
      async inject(context) {
        const slot = context.random.pick(context.slots);
        void context.load.one("slow", { durationMs: 5_000 }, 3);
        await context.load.burst(20);
        const exited = slot.nextExit();
        slot.signal("SIGTERM", "told to stop");
        await sleep(200);
        slot.signal("SIGTERM", "told to stop twice");
        if (!(await inTime(exited, 2_000)))
          context.note("the second SIGTERM did not end it at once");
        return undefined;
      },
    },
    skewClock("clock-ahead", 600_000),
    skewClock("clock-behind", -600_000),
    {
      kind: "loop-blocked",
      touches: ["workers"],
      weight: 1,
      holdMs: 0,
      async inject(context) {
        await context.load.one("blocks", { durationMs: past }, 2);
        await context.load.burst(20);
        return undefined;
      },
    },
    {
      kind: "out-of-memory",
      touches: ["workers"],
      weight: 0.2,
      holdMs: 2_000,
      async inject(context) {
        await Promise.all([
          context.load.burst(32),
          context.load.one("oom"),
          context.load.burst(31),
        ]);
        return undefined;
      },
    },
  ];
}
