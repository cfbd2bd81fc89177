/** The load: a seeded stream of jobs of every kind, many of them published more than once. */
import type { Caller } from "./caller.ts";
import type { ActionName, PlannedJob } from "./history.ts";
import type { Random } from "./random.ts";

/** Share of each action in the load, in parts of 100. `oom` and `blocks` come as faults. */
const MIX: [ActionName, number][] = [
  ["plain", 37],
  ["ledger", 24],
  ["batch", 16],
  ["external", 8],
  ["slow", 6],
  ["flaky", 4],
  ["rejects", 3],
  ["later", 2],
];
const PADDING = "x".repeat(200);

export interface Load {
  /** Different jobs that were published so far. */
  jobs(): number;
  /** Publishes `count` new jobs, some twice; resolves when all publishes have settled. */
  burst(count: number): Promise<void>;
  /** Publishes one new job, `copies` times at once. */
  one(action: ActionName, input?: Record<string, unknown>, copies?: number): Promise<PlannedJob>;
  /** Publishes one new job with headers of its own. */
  forged(
    action: ActionName,
    input: Record<string, unknown>,
    headers: Record<string, unknown>,
  ): Promise<PlannedJob>;
  /** Publishes every job again that is not in `told`, as a careful publisher does after a loss. */
  resendUntold(told: ReadonlySet<string>): Promise<void>;
  /** Publishes a job of the past again. */
  again(): Promise<void>;
}

export function makeLoad(caller: Caller, random: Random, runId: string): Load {
  const published: PlannedJob[] = [];
  const weighted = MIX.flatMap(([action, parts]) => Array<ActionName>(parts).fill(action));

  const plan = (action: ActionName, extra: Record<string, unknown> = {}): PlannedJob => {
    const id = `${runId}-${published.length}-${random.between(0, 2 ** 31).toString(36)}`;
    const input = {
      n: random.between(0, 1_000_000),
      pad: PADDING,
      ...inputOf(action, id, random),
      ...extra,
    };
    const job: PlannedJob = { id, action, input, hasReplyTo: random.chance(0.9) };
    // Near enough that some of them do expire, when a fault holds them up.
    if (action === "ledger" && random.chance(0.1))
      job.deadlineMs = Date.now() + random.between(50, 20_000);
    published.push(job);
    return job;
  };
  const send = async (job: PlannedJob, copies: number): Promise<void> => {
    const confirms = await Promise.all(Array.from({ length: copies }, () => caller.publish(job)));
    // A careful publisher sends an unconfirmed job again under the same id; some publishers aren't.
    if (!confirms.includes(true) && random.chance(0.7)) await caller.publish(job);
  };

  return {
    jobs: () => published.length,
    async burst(count) {
      const sent: Promise<void>[] = [];
      for (let index = 0; index < count; index++)
        sent.push(send(plan(random.pick(weighted)), random.chance(0.2) ? 2 : 1));
      await Promise.all(sent);
    },
    async one(action, input = {}, copies = 1) {
      const job = plan(action, input);
      await send(job, copies);
      return job;
    },
    async forged(action, input, headers) {
      const job = { ...plan(action, input), headers };
      await send(job, 1);
      return job;
    },
    async resendUntold(told) {
      await Promise.all(
        published.filter(({ id }) => !told.has(id)).map((job) => caller.publish(job)),
      );
    },
    async again() {
      if (published.length > 0) await caller.publish(random.pick(published));
    },
  };
}

function inputOf(action: ActionName, id: string, random: Random): Record<string, unknown> {
  switch (action) {
    case "ledger":
      return { chain: random.chance(0.1) };
    case "batch":
      return random.chance(0.02) ? { poison: true } : {};
    case "external":
      return { nonce: id };
    case "slow":
      return { durationMs: random.between(100, 1_500) };
    case "flaky":
      return { failures: random.pick([1, 1, 1, 2, 3]) };
    case "later":
      return { notBeforeMs: Date.now() + random.between(200, 2_000) };
    case "blocks":
      return { durationMs: 3_000 };
    default:
      return {};
  }
}
