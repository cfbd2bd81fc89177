/** One look at Postgres: moves the schedules on, fires what is due, and says when to look again. */
import type { BackgroundContext, Tx } from "@tl-engine/shared";
import { advance } from "./advance.ts";
import { type Fired, fire } from "./fire.ts";
import type { ShutQueues } from "./shut-queues.ts";

/** What time it is there, and when something is due next; null when nothing waits. $1: queues that are shut. */
const LOOK = `select (extract(epoch from clock_timestamp()) * 1000)::float8 "nowMs", least(
    (select min(due_ms) from engine_scheduler.pending where engine || '.' || lane <> all ($1::text[])),
    (select min(due_ms) from engine_scheduler.schedules where not paused))::float8 "nextMs"`;
/** Of a transaction that may have put something: until it has ended, what it put can't be seen. */
const GOING_ON = `select xid from unnest($1::text[]) xid where pg_xact_status(xid::xid8) = 'in progress'`;
/** Passes of one round, so that it ends: what is still due then is the next one's. */
const PASSES = 50;

export interface Round {
  missed: number;
  skipped: number;
  latenessS: number[];
  refused: number;
  unsendable: string[];
  unconfirmed: number;
  /** Whether anything was moved or fired. */
  hasDone: boolean;
  /** Of Postgres' clock; undefined when nothing waits. */
  nextMs: number | undefined;
  /** Of those asked for. */
  goingOn: string[];
}

export interface RoundOptions
  extends Pick<BackgroundContext, "db" | "transact" | "publish" | "signal"> {
  clock: DatabaseClock;
  shut: ShutQueues;
  /** Transactions that may have put something. */
  xids: readonly string[];
  /** The scheduler's own user. */
  publisher: string;
}

/** Postgres' clock, known from one look and carried on by this machine's quartz: nobody sets that one. */
export class DatabaseClock {
  #offsetMs: number | undefined;

  /** Looks what time it is, and when something is due. */
  async look(db: Tx, shut: ShutQueues): Promise<number | undefined> {
    const before = performance.now();
    const { rows } = await db.query<{ nowMs: number; nextMs: number | null }>(LOOK, [
      shut.at(this.now()),
    ]);
    const { nowMs, nextMs } = rows[0] as { nowMs: number; nextMs: number | null };
    this.#offsetMs = nowMs - (before + performance.now()) / 2;
    const times = [nextMs ?? undefined, shut.nextMs(nowMs)].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** NaN before the first look. */
  now(): number {
    return performance.now() + (this.#offsetMs ?? Number.NaN);
  }
}

/** Rejects when Postgres can't be used; what was done until then stays done. */
export async function runRound(options: RoundOptions): Promise<Round> {
  const { db, transact, clock, shut, xids, publish, publisher, signal } = options;
  const round: Round = {
    ...{ missed: 0, skipped: 0, latenessS: [], refused: 0, unconfirmed: 0, hasDone: false },
    ...{ unsendable: [], nextMs: undefined, goingOn: [] },
  };
  // First: what they put is seen by the look after it, once they have ended.
  if (xids.length > 0) {
    const { rows } = await db.query<{ xid: string }>(GOING_ON, [xids]);
    round.goingOn = rows.map(({ xid }) => xid);
  }
  for (let pass = 0; ; pass++) {
    round.nextMs = await clock.look(db, shut);
    const isDue = round.nextMs !== undefined && round.nextMs <= clock.now();
    if (!isDue || pass === PASSES || signal.aborted || round.unconfirmed > 0) return round;
    const advanced = await transact((tx) => advance(tx, Math.floor(clock.now()), publisher));
    round.missed += advanced.missed;
    round.skipped += advanced.skipped;
    const fired = await transact((tx) => fire(tx, { publish, now: () => clock.now(), shut }));
    add(round, fired);
    // What is due is in another scheduler's hands.
    if (advanced.schedules === 0 && fired.due === 0) return round;
    round.hasDone = true;
  }
}

function add(round: Round, { latenessS, refused, unsendable, unconfirmed }: Fired): void {
  round.latenessS.push(...latenessS);
  round.unsendable.push(...unsendable);
  round.refused += refused;
  round.unconfirmed += unconfirmed;
}
