/** What the checker judges by: the history and the end state, indexed by job. */
import type { RunNote } from "./engine/journal.ts";
import type { PlannedJob, Stamped, StampedOf } from "./history.ts";

export interface ResultRow {
  jobId: string;
  generation: number;
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
  /** The workers' own journal of runs, which no service carried. */
  runs: RunNote[];
  queues: { name: string; ready: number; unacked: number }[];
  openTransactions: string[];
  /** Keys of claims that say that a worker still holds the job. */
  heldClaims: string[];
  /** Deadlocks that Postgres had to break. */
  deadlocks: number;
  /** Why waiting for rest ended before it came; undefined when it came. */
  restless?: string;
}

export type Copy = StampedOf<"publish">;

/** One run of a handler. */
export interface Run {
  run: string;
  jobId: string;
  worker: string;
  attempt: number;
  startMs: number;
  /** When it ended, or its process did. */
  endMs: number;
  /** `cut`: its process ended first. */
  ended: "returned" | "threw" | "cut";
  skewMs: number;
}

export interface Span {
  fromMs: number;
  toMs: number;
}

/** All that is known of one job. */
export interface Story {
  id: string;
  /** In order of publication; at least one. */
  copies: Copy[];
  job: PlannedJob;
  /** Different inputs under this id: more than one is a conflict. */
  inputs: string[];
  row: ResultRow | undefined;
  replies: StampedOf<"reply">[];
  letters: StampedOf<"letter">[];
  cancels: StampedOf<"cancel">[];
  runs: Run[];
  effects: EndState["ledger"];
}

/** The evidence, indexed by job. */
export interface Evidence {
  maxAttempts: number;
  leaseMs: number;
  maxHeldBytes: number;
  /** Every job that may exist: published, or made by the runtime from an event of a row. */
  stories: Map<string, Story>;
  /** Jobs that must have ended: one confirmed publish after the last deletion of the queue. */
  owed: Set<string>;
  /** The confirmed copies themselves, by name. */
  owedCopies: Set<string>;
  rows: Map<string, ResultRow>;
  copiesByCorrelation: Map<string, Copy[]>;
  of<Kind extends Stamped["kind"]>(kind: Kind): StampedOf<Kind>[];
  runs: Run[];
  /** When workers stood still, by worker. */
  stalls: Map<string, Span[]>;
  /** When Redis could not be relied on. */
  redisLost: Span[];
  hasFaults: boolean;
  history: readonly Stamped[];
  end: EndState;
}

/** Event that the engine consumes itself: its id becomes a job of the action `consume`. */
const CHAINED_EVENT = "crash.chained";
/** After Redis is back a worker may leave it alone for two seconds, and jobs that began meanwhile go on without a claim. */
const REDIS_ECHO_MS = 8_000;
/** The same of a stall: Redis' answers count as lost, and it is left alone for two seconds. */
export const STALL_ECHO_MS = 4_000;
/** An engine that exhausts its memory stands still for long before it dies. */
const DYING_MS = 15_000;

export function indexEvidence(history: readonly Stamped[], end: EndState): Evidence {
  const of = <Kind extends Stamped["kind"]>(kind: Kind) =>
    history.filter((entry) => entry.kind === kind) as StampedOf<Kind>[];
  const copies = of("publish");
  const owedCopies = owedCopiesOf(history);
  const owed = new Set(
    copies
      .filter((one) => owedCopies.has(one.copy) && !isNameless(one))
      .map(({ job: { id } }) => id),
  );
  const wasDeleted = of("queue-deleted").length > 0;
  const chained = end.rows.flatMap(({ events }) =>
    events.filter(({ type }) => type === CHAINED_EVENT).map(({ id }) => id),
  );
  if (!wasDeleted) for (const id of chained) owed.add(id);
  const runs = readRuns(end.runs, of("exit"), history.at(-1)?.at ?? 0);
  const [run] = of("run");
  const evidence: Evidence = {
    maxAttempts: run?.maxAttempts ?? 5,
    leaseMs: run?.leaseMs ?? 2_000,
    maxHeldBytes: run?.maxHeldBytes ?? Number.POSITIVE_INFINITY,
    stories: new Map(),
    owed,
    owedCopies,
    rows: new Map(end.rows.map((row) => [row.jobId, row])),
    copiesByCorrelation: Map.groupBy(copies, ({ correlationId }) => correlationId ?? ""),
    of,
    runs,
    stalls: readStalls(end.runs, of("exit")),
    redisLost: [...readRedisLost(of("fault")), ...readOwnStalls(of("stall"))],
    hasFaults: of("fault").length > 0 || of("exit").some(({ reason }) => reason !== "stop"),
    history,
    end,
  };
  tellStories(evidence, [...copies, ...chained.map(chainedCopy)]);
  return evidence;
}

function tellStories(evidence: Evidence, copies: Copy[]): void {
  const { of, end, rows, runs, stories, copiesByCorrelation } = evidence;
  const letters = Map.groupBy(of("letter"), ({ id }) => id);
  const cancels = Map.groupBy(of("cancel"), ({ jobId }) => jobId);
  const runsOf = Map.groupBy(runs, ({ jobId }) => jobId);
  const effects = Map.groupBy(end.ledger, ({ jobId }) => jobId);
  const replies = Map.groupBy(
    of("reply"),
    ({ correlationId }) => copiesByCorrelation.get(correlationId)?.[0]?.job.id ?? correlationId,
  );
  for (const [id, own] of Map.groupBy(copies, ({ job }) => job.id)) {
    stories.set(id, {
      id,
      copies: own,
      job: (own[0] as Copy).job,
      inputs: [...new Set(own.map(({ job }) => JSON.stringify(job.input)))],
      row: rows.get(id),
      replies: replies.get(id) ?? [],
      letters: letters.get(id) ?? [],
      cancels: cancels.get(id) ?? [],
      runs: runsOf.get(id) ?? [],
      effects: effects.get(id) ?? [],
    });
  }
}

const chainedCopy = (id: string): Copy => ({
  kind: "publish",
  at: 0,
  copy: id,
  caller: "the fleet",
  job: { id, action: "consume", input: { n: 0 } },
  generation: 0,
  timestamp: 0,
});

function readRuns(notes: RunNote[], exits: StampedOf<"exit">[], lastMs: number): Run[] {
  const ends = new Map(notes.filter((note) => note.kind === "end").map((end) => [end.run, end]));
  const exitMs = new Map(exits.map(({ worker, at }) => [worker, at]));
  return notes
    .filter((note) => note.kind === "start")
    .map(({ at, ...start }) => {
      const end = ends.get(start.run);
      return {
        ...start,
        startMs: at,
        endMs: end?.at ?? exitMs.get(start.worker) ?? lastMs,
        ended: end?.ended ?? "cut",
      };
    });
}

function readStalls(notes: RunNote[], exits: StampedOf<"exit">[]): Map<string, Span[]> {
  const spans = notes
    .filter((note) => note.kind === "stall")
    .map(({ worker, from, at }) => ({ worker, fromMs: from, toMs: at }));
  for (const { worker, at, reason } of exits)
    if (reason === "out of memory") spans.push({ worker, fromMs: at - DYING_MS, toMs: at });
  return Map.groupBy(spans, ({ worker }) => worker);
}

function readRedisLost(faults: StampedOf<"fault">[]): Span[] {
  const spans: Span[] = [];
  const open = new Map<string, number>();
  for (const { fault, phase, touches, at } of faults) {
    if (!touches.includes("redis")) continue;
    if (phase === "inject") open.set(fault, at);
    else {
      spans.push({ fromMs: open.get(fault) ?? at, toMs: at + REDIS_ECHO_MS });
      open.delete(fault);
    }
  }
  for (const fromMs of open.values()) spans.push({ fromMs, toMs: Number.POSITIVE_INFINITY });
  return spans;
}

/** A worker that waits too long for Redis' answer does without for a while, and jobs begin unclaimed. */
const readOwnStalls = (stalls: StampedOf<"stall">[]): Span[] =>
  stalls.map(({ fromMs, at }) => ({ fromMs, toMs: at + STALL_ECHO_MS }));

export const overlaps = (one: Span, other: Span) =>
  one.fromMs < other.toMs && other.fromMs < one.toMs;

/** How often each id occurs. */
export function countBy(ids: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/** Confirmed copies that no later deletion of the queue can have swallowed. */
function owedCopiesOf(history: readonly Stamped[]): Set<string> {
  const owed = new Set<string>();
  const safe = new Set<string>();
  for (const entry of history) {
    if (entry.kind === "queue-deleted") {
      owed.clear();
      safe.clear();
    } else if (entry.kind === "publish") safe.add(entry.copy);
    else if (entry.kind === "confirm" && safe.has(entry.copy)) owed.add(entry.copy);
  }
  return owed;
}

/** Without a usable id it can have no row: its dead letter is all there is of it. */
const isNameless = ({ oddity }: Pick<Copy, "oddity">) => oddity === "message-id";

/** Jobs with a confirmed publish that no later deletion of the queue can have swallowed. */
export function owedJobs(history: readonly Stamped[]): Set<string> {
  const owed = owedCopiesOf(history);
  const jobs = new Set<string>();
  for (const entry of history)
    if (entry.kind === "publish" && owed.has(entry.copy) && !isNameless(entry))
      jobs.add(entry.job.id);
  return jobs;
}

/**
 * Jobs that a careful publisher need not send again: whoever waits for them has been told how they ended.
 * A job of which nobody hears may have failed without its dead letter; only a culprit is better left alone.
 */
export function toldJobs(rows: readonly ResultRow[], history: readonly Stamped[]): Set<string> {
  const awaited = new Map<string, Set<string>>();
  const seen = new Set<string>();
  const keyOf = (correlationId: string, queue: string) => `${queue} ${correlationId}`;
  for (const entry of history) {
    if (entry.kind === "publish" && entry.replyTo !== undefined) {
      const { id } = entry.job;
      const asked = awaited.get(id) ?? new Set();
      awaited.set(id, asked.add(keyOf(entry.correlationId ?? id, entry.replyTo)));
    } else if (entry.kind === "reply") seen.add(keyOf(entry.correlationId, entry.queue));
    else if (entry.kind === "event") seen.add(entry.id);
  }
  const isTold = ({ jobId, status, code, events }: ResultRow) => {
    const asked = awaited.get(jobId);
    return (
      events.every(({ id }) => seen.has(id)) &&
      (asked
        ? [...asked].every((key) => seen.has(key))
        : status === "succeeded" || code === "quarantined")
    );
  };
  return new Set(rows.filter(isTold).map(({ jobId }) => jobId));
}
