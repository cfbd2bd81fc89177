/** What the checker judges by: the history and the end state, indexed by job. */
import type { PlannedJob, Stamped } from "./history.ts";

export interface ResultRow {
  jobId: string;
  status: string;
  code: string | null;
  attempt: number;
  /** The exact text of the reply's body. */
  reply: string;
  events: { id: string; type: string; body: string }[];
}

/** What the services hold when everything has come to rest. */
export interface EndState {
  rows: ResultRow[];
  ledger: { jobId: string; attempt: number; worker: string }[];
  deadLetters: { jobId: string }[];
  queues: { name: string; ready: number; unacked: number }[];
  openTransactions: string[];
  /** Keys of claims that say that a worker still holds the job. */
  heldClaims: string[];
  /** Deadlocks that Postgres had to break. */
  deadlocks: number;
  /** Why waiting for rest ended before it came; undefined when it came. */
  restless?: string;
}

/** The evidence, indexed by job. */
export interface Evidence {
  maxAttempts: number;
  /** Every job that may exist: published, or made by the runtime from an event of a row. */
  jobs: Map<string, PlannedJob>;
  /** Jobs that must have ended: one confirmed publish after the last deletion of the queue. */
  owed: Set<string>;
  /** Confirmed jobs that only a deleted queue can have swallowed. */
  declaredLost: Set<string>;
  rows: Map<string, ResultRow>;
  ledgerCounts: Map<string, number>;
  ledger: EndState["ledger"];
  replies: Extract<Stamped, { kind: "reply" }>[];
  repliesByJob: Map<string, Extract<Stamped, { kind: "reply" }>[]>;
  events: Extract<Stamped, { kind: "event" }>[];
  externals: Extract<Stamped, { kind: "external" }>[];
  exits: Extract<Stamped, { kind: "exit" }>[];
  deadLetterIds: Set<string>;
  hasFaults: boolean;
  end: EndState;
}

/** Event that the engine consumes itself: its id becomes a job of the action `consume`. */
const CHAINED_EVENT = "crash.chained";
export function indexEvidence(history: readonly Stamped[], end: EndState): Evidence {
  const of = <Kind extends Stamped["kind"]>(kind: Kind) =>
    history.filter((entry) => entry.kind === kind) as Extract<Stamped, { kind: Kind }>[];
  const jobs = new Map(of("publish").map(({ job }) => [job.id, job]));
  const owed = owedJobs(history);
  const wasDeleted = of("queue-deleted").length > 0;
  const swallowable = new Set(wasDeleted ? of("confirm").map(({ jobId }) => jobId) : []);
  const rows = new Map(end.rows.map((row) => [row.jobId, row]));
  for (const row of end.rows) {
    for (const { id, type } of row.events) {
      if (type !== CHAINED_EVENT) continue;
      jobs.set(id, { id, action: "consume", input: { n: 0 }, hasReplyTo: false });
      (wasDeleted ? swallowable : owed).add(id);
    }
  }
  const repliesByJob = Map.groupBy(of("reply"), ({ jobId }) => jobId);
  return {
    maxAttempts: of("run")[0]?.maxAttempts ?? 5,
    jobs,
    owed,
    declaredLost: new Set([...swallowable].filter((id) => !owed.has(id) && !rows.has(id))),
    rows,
    ledgerCounts: countBy(end.ledger.map(({ jobId }) => jobId)),
    ledger: end.ledger,
    replies: of("reply"),
    repliesByJob,
    events: of("event"),
    externals: of("external"),
    exits: of("exit"),
    deadLetterIds: new Set(end.deadLetters.map(({ jobId }) => jobId)),
    hasFaults: of("fault").length > 0 || of("exit").some(({ reason }) => reason !== "stop"),
    end,
  };
}

/** How often each id occurs. */
export function countBy(ids: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/** Jobs with a confirmed publish that no later deletion of the queue can have swallowed. */
export function owedJobs(history: readonly Stamped[]): Set<string> {
  const owed = new Set<string>();
  const safeCopies = new Set<string>();
  for (const entry of history) {
    if (entry.kind === "queue-deleted") {
      owed.clear();
      safeCopies.clear();
    } else if (entry.kind === "publish") safeCopies.add(entry.copy);
    else if (entry.kind === "confirm" && safeCopies.has(entry.copy)) owed.add(entry.jobId);
  }
  return owed;
}

/**
 * Jobs that a careful publisher need not send again: whoever waits for them has been told how they ended.
 * A job of which nobody hears may have failed without its dead letter; only a culprit is better left alone.
 */
export function toldJobs(rows: readonly ResultRow[], history: readonly Stamped[]): Set<string> {
  const awaited = new Set<string>();
  const seen = new Set<string>();
  for (const entry of history) {
    if (entry.kind === "publish" && entry.job.hasReplyTo) awaited.add(entry.job.id);
    else if (entry.kind === "reply") seen.add(entry.jobId);
    else if (entry.kind === "event") seen.add(entry.id);
  }
  const isTold = ({ jobId, status, code, events }: ResultRow) =>
    events.every(({ id }) => seen.has(id)) &&
    (awaited.has(jobId) ? seen.has(jobId) : status === "succeeded" || code === "quarantined");
  return new Set(rows.filter(isTold).map(({ jobId }) => jobId));
}
