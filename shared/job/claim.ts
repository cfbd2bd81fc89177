/** Claims: the lease in Redis that lets one worker run a job. Redis only accelerates; Postgres decides. */
import { isUnanswered, type Redis, reconnect } from "../stores/redis.ts";
import { claimScript } from "../wire/claim-scripts.ts";
import { redisKeys } from "../wire/names.ts";
import { batcher } from "./coalesce.ts";

/** I6. Claims that ended neither way after which a job runs alone in its worker. */
export const SUSPECT_AFTER = 2;
/** And after which it is quarantined: two crashes among others, two alone. */
export const QUARANTINE_AFTER = 4;

/** Whose claim it is: a publisher's jobs are its own, also in Redis. */
interface Claimed {
  engine: string;
  publisher: string | undefined;
  id: string;
}

export interface Claimable extends Claimed {
  generation: number;
  attempt: number;
  crashes: number;
  redeliveries: number;
  /** How often its messages went back to the queue: no more crashes are possible. */
  returns: number;
}

export type Claim =
  /** `token` is undefined when Redis could not be asked: the job runs all the same. */
  | { kind: "run"; token: string | undefined; crashes: number }
  | { kind: "busy"; remainingMs: number }
  /** `attempt` is the one on record, 0 where only the generation is older. */
  | { kind: "stale"; attempt: number }
  | { kind: "done" }
  | { kind: "suspect"; crashes: number }
  | { kind: "cancelled"; token: string };

export interface ClaimOptions {
  redis: Redis;
  prefix: string;
  leaseMs: number;
  ttlMs: number;
  /** Called for every batch that went on without Redis. */
  onSkipped(jobs: number, error: unknown): void;
}

/** No delivery has this token: whoever ends a job without a claim names it. */
const NO_TOKEN = "none";

type Unclaim = "done" | "retry" | "release";

interface Claiming {
  job: Claimable;
  token: string;
}

interface Unclaiming extends Claiming {
  what: Unclaim;
  attempt: number;
  next: NextRun;
}

/** What a caller is told of a job between two runs. */
export interface NextRun {
  /** Milliseconds until it runs again; 0 for at once. */
  inMs: number;
  /** Why the last run failed, as JSON; "" where none did. */
  failure: string;
}

const AT_ONCE: NextRun = { inMs: 0, failure: "" };
/** As far ahead as anybody is told of, a year. */
const MAX_NEXT_RUN_MS = 31_536_000_000;

export interface Heartbeat extends Claimed {
  token: string;
  progress: string;
}

/** By the script's codes. */
const HEARD = ["renewed", "lost", "cancelled", "ended"] as const;
type Heard = (typeof HEARD)[number];

export interface Claims {
  /**
   * Never rejects. `alone` says that nothing else runs in this worker; `denied` that Postgres has no row that bears
   * out what an earlier answer said, `done` or `stale`: neither comes again.
   */
  claim(job: Claimable, alone: boolean, denied?: boolean): Promise<Claim>;
  /**
   * Ends a claim; `attempt` is the one that goes on record, by default the job's own. No token: the
   * job ran unclaimed. `next` says of a job that comes back when, by default at once. Never rejects.
   */
  unclaim(
    what: Unclaim,
    job: Claimable,
    token: string | undefined,
    attempt?: number,
    next?: NextRun,
  ): Promise<void>;
  /** Never rejects; undefined when Redis could not be asked. */
  heartbeat(jobs: Heartbeat[]): Promise<Heard[] | undefined>;
}

const MAX_BATCH = 500;
/** After a failure Redis is left alone for so long, so that an outage costs no job a timeout. */
const BREAK_MS = 2_000;

type Scripted = Redis & Record<"engineClaim" | "engineUnclaim" | "engineHeartbeat", Run>;
type Run = (keyCount: number, ...keysAndArguments: (string | number)[]) => Promise<number[]>;

export function createClaims(options: ClaimOptions): Claims {
  const { prefix, leaseMs, ttlMs, onSkipped } = options;
  const redis = options.redis as Scripted;
  redis.defineCommand("engineClaim", { lua: claimScript("claim") });
  redis.defineCommand("engineUnclaim", { lua: claimScript("unclaim") });
  redis.defineCommand("engineHeartbeat", { lua: claimScript("heartbeat") });
  const keyOf = ({ engine, publisher, id }: Claimed) =>
    redisKeys.claim(prefix, engine, publisher, id);
  const nonce = Math.random().toString(36).slice(2, 10);
  let deliveries = 0;
  let brokenUntil = 0;

  /** Asks Redis unless it failed a moment ago; undefined when there is no answer. */
  async function ask(
    jobs: number,
    question: () => Promise<number[]>,
  ): Promise<number[] | undefined> {
    if (performance.now() < brokenUntil) {
      onSkipped(jobs, undefined);
      return undefined;
    }
    try {
      return await question();
    } catch (error) {
      brokenUntil = performance.now() + BREAK_MS;
      if (isUnanswered(error)) reconnect(redis);
      onSkipped(jobs, error);
      return undefined;
    }
  }

  async function claimAll(batch: Claiming[], alone: boolean, denied: boolean): Promise<Claim[]> {
    const keys = batch.map(({ job }) => keyOf(job));
    const limits = [leaseMs, ttlMs, SUSPECT_AFTER, QUARANTINE_AFTER];
    const settings = [...limits, alone ? "1" : "0", denied ? "1" : "0", returned(batch)];
    const jobs = batch.map(
      ({ job, token }) => `${token} ${job.generation} ${job.attempt} ${job.crashes}`,
    );
    const answers = await ask(batch.length, () =>
      redis.engineClaim(keys.length, ...keys, ...settings, ...jobs),
    );
    if (answers === undefined) return batch.map(({ job }) => unclaimed(job, alone));
    const claims = batch.map(({ token }): Claim => ({ kind: "run", token, crashes: 0 }));
    for (let at = 0; at < answers.length; at += 3) {
      const [index = 0, code, number = 0] = answers.slice(at, at + 3);
      claims[index] = readClaim(code, number, batch[index]?.token ?? "");
    }
    return claims;
  }
  const claimBatch = batcher<Claiming, Claim>((batch) => claimAll(batch, false, false), MAX_BATCH);

  const unclaimBatch = batcher<Unclaiming, void>(async (batch) => {
    const keys = batch.map(({ job }) => keyOf(job));
    const jobs = batch.map(({ what, job, token, attempt, next }) => {
      const ended = `${what} ${token} ${job.generation} ${attempt}`;
      return what === "done" ? ended : `${ended} ${nextRunMs(next)} ${next.failure}`;
    });
    await ask(batch.length, () => redis.engineUnclaim(keys.length, ...keys, ttlMs, ...jobs));
    return [];
  }, MAX_BATCH);

  return {
    claim(job, alone, denied = false) {
      const claiming = { job, token: `${nonce}:${(++deliveries).toString(36)}` };
      // Whoever runs alone has nobody to share a command with, and whoever was denied is rare.
      return alone || denied
        ? claimAll([claiming], alone, denied).then(([claim]) => claim as Claim)
        : claimBatch(claiming);
    },
    unclaim: (what, job, token = NO_TOKEN, attempt = job.attempt, next = AT_ONCE) =>
      unclaimBatch({ what, job, token, attempt, next }),
    async heartbeat(jobs) {
      const keys = jobs.map(keyOf);
      const tokens = jobs.flatMap(({ token, progress }) => [token, progress]);
      const answers = await ask(jobs.length, () =>
        redis.engineHeartbeat(keys.length, ...keys, leaseMs, ttlMs, ...tokens),
      );
      return answers?.map((code) => HEARD[code] ?? "renewed");
    },
  };
}

const nextRunMs = ({ inMs }: NextRun) => Math.min(Math.max(0, Math.ceil(inMs)), MAX_NEXT_RUN_MS);

/** For the script, and short: almost all messages arrive for the first time. */
function returned(batch: Claiming[]): string {
  let text = " ";
  batch.forEach(({ job }, index) => {
    if (job.returns > 0) text += `${index}:${job.returns} `;
  });
  return text;
}

/** Redelivered so often without Redis to count, a job counts as quarantined: hand-backs alone don't come to that. */
const QUARANTINE_REDELIVERIES = 20;

/** I6. Without Redis the message's own count decides, and the broker's where it is beyond doubt. */
function unclaimed(job: Claimable, alone: boolean): Claim {
  const { redeliveries } = job;
  const suspected = redeliveries >= QUARANTINE_REDELIVERIES ? QUARANTINE_AFTER : 0;
  const crashes = Math.max(job.crashes, suspected);
  const suspect = crashes >= SUSPECT_AFTER || redeliveries >= SUSPECT_AFTER;
  if (suspect && !alone) return { kind: "suspect", crashes };
  return { kind: "run", token: undefined, crashes };
}

function readClaim(code: number | undefined, number: number, token: string): Claim {
  switch (code) {
    case 0:
      return { kind: "run", token, crashes: number };
    case 1:
      return { kind: "busy", remainingMs: number };
    case 2:
      return { kind: "stale", attempt: number };
    case 3:
      return { kind: "done" };
    case 4:
      return { kind: "suspect", crashes: number };
    case 5:
      return { kind: "cancelled", token };
    default:
      throw new Error(`the claim script answered ${code}`);
  }
}
