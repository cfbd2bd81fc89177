/** Faults of worker processes: killed, frozen, told to stop, out of memory, blocked, with a wrong clock. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Step } from "../engine/steps.ts";
import type { Slot } from "../supervisor.ts";
import type { Context, Fault } from "./fault.ts";

const STEP_TIMEOUT_MS = 5_000;
/** A worker takes so long to start, on a slow machine. */
const START_MS = 1_200;

/** Publishes what makes some job reach a step that ordinary load reaches rarely. */
function provoke({ load }: Context, step: Step): void {
  const many = (publish: () => Promise<unknown>) => {
    for (let count = 0; count < 18; count++) void publish();
  };
  if (step === "tiered" || step === "tier-sent" || step === "attempt-recorded")
    many(() => load.one("flaky", { failures: 1 }, 2));
  if (step === "dead-lettered" || step === "letter-sent") {
    many(() => load.one("rejects"));
    many(() => load.one("rejects"));
  }
  if (step === "in-transaction" || step === "event-sent")
    many(() => load.one("ledger", { events: 2 }, 2));
}

/** Which job of those that reach a step; of steps that few reach, an early one. */
const RARE = new Set<Step>([
  "in-transaction",
  "event-sent",
  "tier-sent",
  "tiered",
  "attempt-recorded",
  "letter-sent",
  "dead-lettered",
]);
const nthOf = ({ random }: Context, step: Step) => random.between(1, RARE.has(step) ? 2 : 8);

/** Resolves true when `happened` does in time. */
const inTime = (happened: Promise<unknown>, timeoutMs: number) =>
  Promise.race([happened.then(() => true), sleep(timeoutMs, false)]);

/** Each of these workers ends itself at a step of its own. */
async function signalAtSteps(
  context: Context,
  slots: Slot[],
  signal: "SIGKILL" | "SIGTERM",
): Promise<undefined> {
  const armed = slots.map((slot) => {
    const step = context.nextStep();
    const exited = slot.nextExit();
    slot.order({ step, signal, nth: nthOf(context, step) }, `${signal} at ${step}`);
    return { slot, step, exited };
  });
  for (const { step } of armed) provoke(context, step);
  // More than a worker takes at once: what it is given while it stops goes back.
  void context.load.burst(signal === "SIGTERM" ? 120 : 30);
  const patienceMs = signal === "SIGTERM" ? STEP_TIMEOUT_MS * 4 : STEP_TIMEOUT_MS;
  await Promise.all(
    armed.map(async ({ slot, step, exited }) => {
      if (await inTime(exited, patienceMs)) return context.note(`${slot.name} at ${step}`);
      slot.disarm();
      context.note(`${step} was not reached in time by ${slot.name}`);
    }),
  );
}

/** Freezes one worker at a step, past its lease. */
async function freeze(context: Context, step: Step): Promise<() => void> {
  const slot = context.random.oneOf(context.slots);
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
    weight: 2,
    holdMs: 3_000,
    async inject(context) {
      const slot = context.random.oneOf(context.slots);
      const started = slot.nextExit();
      restartWith(slot, { CLOCK_SKEW_MS: String(skewMs) });
      await inTime(started, STEP_TIMEOUT_MS);
      await sleep(START_MS);
      // Jobs that two workers have at once: one of them has to wait for the other's lease.
      for (let count = 0; count < 28; count++)
        void context.load.one("slow", { durationMs: 1_500 }, 2);
      return () => restartWith(slot, {});
    },
  };
}

export function processFaults(leaseMs: number): Fault[] {
  const past = leaseMs + 1_500;
  return [
    ...kills(),
    ...freezes(past),
    ...stops(),
    skewClock("clock-ahead", 600_000),
    skewClock("clock-behind", -600_000),
    ...greed(past),
  ];
}

function kills(): Fault[] {
  return [
    {
      kind: "kill-at-step",
      touches: ["workers"],
      weight: 60,
      holdMs: 0,
      inject: (context) => signalAtSteps(context, context.slots, "SIGKILL"),
    },
    {
      kind: "kill-any",
      touches: ["workers"],
      weight: 2,
      holdMs: 300,
      async inject(context) {
        void context.load.one("slow", { durationMs: 1_000 }, 3);
        await context.load.burst(15);
        context.random.oneOf(context.slots).signal("SIGKILL", "killed");
        return undefined;
      },
    },
    {
      kind: "burials-at-step",
      touches: [],
      weight: 2,
      holdMs: 0,
      async inject(context) {
        const { burials, load, random } = context;
        const step = random.oneOf(["received", "committed", "reply-sent", "letter-sent"] as const);
        const exited = burials.nextExit();
        burials.order({ step, signal: "SIGKILL", nth: 2 }, `SIGKILL at ${step}`);
        for (let count = 0; count < 6; count++)
          void load.one("plain", {}, 1, { burial: "expired" });
        if (await inTime(exited, STEP_TIMEOUT_MS)) return undefined;
        burials.disarm();
        context.note(`${step} was not reached in time`);
        return undefined;
      },
    },
  ];
}

/** @param past milliseconds that outlast a lease. */
function freezes(past: number): Fault[] {
  return [
    {
      kind: "frozen-past-lease",
      touches: ["workers"],
      weight: 2,
      holdMs: past,
      inject: (context) =>
        freeze(
          context,
          context.random.oneOf(["claimed", "ran", "committing", "committed"] as const),
        ),
    },
    {
      kind: "frozen-in-transaction",
      touches: ["workers"],
      weight: 2,
      holdMs: past,
      inject: (context) => freeze(context, "in-transaction"),
    },
  ];
}

function stops(): Fault[] {
  return [
    {
      kind: "sigterm-at-step",
      touches: ["workers", "broker"],
      weight: 4,
      holdMs: 0,
      async inject(context) {
        const place = context.random.between(0, context.slots.length - 1);
        // The longer the broker takes to say that it has stopped, the more has to be handed back.
        const slow = context.proxies.broker[place]?.apply({ kind: "latency", delayMs: 300 });
        await signalAtSteps(context, [context.slots[place] as Slot], "SIGTERM");
        return () => slow?.remove();
      },
    },
    {
      kind: "sigterm-twice",
      touches: ["workers"],
      weight: 1,
      holdMs: 0,
      async inject(context) {
        const slot = context.random.oneOf(context.slots);
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
  ];
}

/** Jobs that take what all share. */
function greed(past: number): Fault[] {
  return [
    {
      // Past the lease, and past what the broker waits for a heartbeat. Copies elsewhere find the lease run out.
      kind: "loop-blocked",
      touches: ["workers"],
      weight: 2,
      // As long as one worker may have to do with it; what comes meanwhile is taken by the others.
      holdMs: 6_000,
      async inject(context) {
        void context.load.one("slow", { durationMs: 1_000 }, 3);
        await Promise.all([
          ...[2_000, past, 5_000].map((durationMs) =>
            context.load.one("blocks", { durationMs }, 2),
          ),
          context.load.burst(20),
        ]);
        return undefined;
      },
    },
    {
      kind: "out-of-memory",
      touches: ["workers"],
      weight: 0.5,
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
