/** Publishes the jobs whose time has come, and takes them away once the broker has them, in one transaction. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BackgroundContext, TargetJob, Tx } from "@tl-engine/shared";
import type { PendingRow } from "./pending.ts";
import { queueOf, type ShutQueues } from "./shut-queues.ts";

const AT_ONCE = 256;
/** Of the bodies that are held at once: one larger is taken alone. */
const MAX_BYTES = 8 * 1_048_576;
/** After a queue took a job not, being full: doubled each time up to a minute. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

const DUE = `
  select engine, job_id "jobId", body_bytes "bytes" from engine_scheduler.pending where due_ms <= $1 and engine || '.' || lane <> all ($2::text[])
  order by due_ms limit ${AT_ONCE} for update skip locked`;
const IDS = "(engine, job_id) in (select * from unnest($1::text[], $2::text[]))";
const READ = `select *, run_at_ms::float8 run_at_ms, slot_ms::float8 slot_ms, deadline_ms::float8 deadline_ms
  from engine_scheduler.pending where ${IDS} order by due_ms`;
const GONE = `
  with gone as (delete from engine_scheduler.pending where ${IDS} returning schedule, slot_ms)
  update engine_scheduler.slots s set fired_ms = $3 from gone
  where s.schedule = gone.schedule and s.slot_ms = gone.slot_ms`;
const LATER = `
  update engine_scheduler.pending
  set tries = tries + 1, due_ms = $3::bigint + least(${MAX_RETRY_MS}, ${RETRY_MS} * power(2, least(tries, 10)))::bigint
  where ${IDS}`;

type Row = PendingRow & { cancelled: boolean; tries: number };

/** Without an answer of the broker for so long the rows are let go: nothing may hold them while it is down. */
const PATIENCE_MS = 10_000;

type Published = Awaited<ReturnType<BackgroundContext["publish"]>>;

export interface Fired {
  /** Jobs that were due, up to as many as a round takes. */
  due: number;
  /** How late each was that went, seconds. */
  latenessS: number[];
  /** Jobs that their queue did not take, that the broker can never take, and that it did not answer for. */
  refused: number;
  unsendable: string[];
  unconfirmed: number;
}

export interface FireOptions {
  publish: BackgroundContext["publish"];
  /** Postgres' clock, epoch milliseconds. */
  now(): number;
  shut: ShutQueues;
}

/**
 * To be called in a transaction, which holds its rows: another scheduler passes them over. Who dies before it commits
 * leaves them to be published again under the same ids, which engines make one.
 */
export async function fire(tx: Tx, { publish, now, shut }: FireOptions): Promise<Fired> {
  const { rows: due } = await tx.query<{ engine: string; jobId: string; bytes: number }>(DUE, [
    Math.floor(now()),
    shut.at(now()),
  ]);
  if (due.length === 0)
    return { due: 0, latenessS: [], refused: 0, unsendable: [], unconfirmed: 0 };
  let bytes = 0;
  const taken = due.filter((row, i) => {
    bytes += row.bytes;
    return i === 0 || bytes <= MAX_BYTES;
  });
  const { rows } = await tx.query<Row>(READ, idsOf(taken));
  const latenessS: number[] = [];
  const ends = await Promise.all(
    rows.map(async (row) => {
      const end = await answered(publish(jobOf(row)));
      // What was put for a time gone by is not late.
      if (end === "routed" && row.tries === 0) latenessS.push((now() - row.run_at_ms) / 1_000);
      return end;
    }),
  );
  const those = (...wanted: Published[]) =>
    rows.flatMap((row, i) =>
      wanted.includes(ends[i] as Published) ? [{ engine: row.engine, jobId: row.job_id }] : [],
    );
  // No queue takes what is returned, and none ever takes what is unsendable.
  const gone = those("routed", "returned", "unsendable");
  const refused = those("refused");
  const at = Math.round(now());
  noteShut(shut, rows, ends, at);
  if (gone.length > 0) await tx.query(GONE, [...idsOf(gone), at]);
  if (refused.length > 0) await tx.query(LATER, [...idsOf(refused), at]);
  return {
    ...{ due: due.length, latenessS, refused: refused.length },
    unsendable: those("returned", "unsendable").map(({ jobId }) => jobId),
    unconfirmed: rows.length - gone.length - refused.length,
  };
}

/** Also what is never confirmed is its queue's: where the broker is away, it goes once that is back. */
function noteShut(shut: ShutQueues, rows: Row[], ends: Published[], atMs: number): void {
  const queues = (...wanted: Published[]) =>
    new Set(rows.filter((_, i) => wanted.includes(ends[i] as Published)).map(queueOf));
  for (const queue of queues("routed")) shut.open(queue);
  for (const queue of queues("refused", "unconfirmed")) shut.shut(queue, atMs);
}

const idsOf = (rows: readonly { engine: string; jobId: string }[]) => [
  rows.map(({ engine }) => engine),
  rows.map(({ jobId }) => jobId),
];

async function answered(published: Promise<Published>): Promise<Published> {
  const patience = new AbortController();
  const waited = sleep(PATIENCE_MS, "unconfirmed" as const, { signal: patience.signal });
  // Whichever loses the race may end as it likes.
  for (const promise of [published, waited]) promise.catch(() => {});
  try {
    return await Promise.race([published, waited]);
  } finally {
    patience.abort();
  }
}

function jobOf(row: Row): TargetJob {
  const { engine, lane, type, generation, attempt, crashes, returns, body } = row;
  return {
    ...{ engine, lane, id: row.job_id, type, generation, attempt, crashes, returns, body },
    ...(row.cancelled && { cancelled: true }),
    ...(row.publisher !== null && { publisher: row.publisher }),
    ...(row.app_id !== null && { appId: row.app_id }),
    ...(row.reply_to !== null && { replyTo: row.reply_to }),
    ...(row.correlation_id !== null && { correlationId: row.correlation_id }),
    ...(row.deadline_ms !== null && { deadlineMs: row.deadline_ms }),
    ...(row.traceparent !== null && { traceparent: row.traceparent }),
  };
}
