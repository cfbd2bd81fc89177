/** What a worker counts, and the one place where outcomes are counted. Labels come from definitions, never from messages. */
import type { Registry } from "prom-client";
import type { Outcome } from "../job/outcome.ts";
import type { Received } from "../job/receive.ts";

/** Upper bounds of the duration histogram, seconds. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

interface Series {
  outcomes: Map<string, number>;
  /** Counts per bucket, the last one beyond all bounds. */
  buckets: number[];
  sumS: number;
}

type Totals = Record<
  | "redisSkipped"
  | "staleAcks"
  | "undecodable"
  | "loopBlocks"
  | "unroutableReplies"
  | "refusedReplies"
  | "refusedEvents"
  | "connectionWaits"
  | "connectionWaitMs"
  | "ownErrors"
  | "evictedLetters"
  | "evictedUnrouted"
  | "databaseDown",
  number
>;

export interface Metrics {
  settled(received: Received, outcome: Outcome, durationMs: number): void;
  redisSkipped(jobs: number): void;
  staleAcks(count: number): void;
  /** A delivery whose headers can't be decoded. */
  undecodable(): void;
  /** The event loop stood still for more than a second. */
  loopBlocked(): void;
  /** A reply or an event that its queue did not take. */
  undelivered(
    what: "reply" | "event",
    why: "returned" | "refused" | "unsendable" | "unconfirmed",
  ): void;
  /** How long a job waited for a connection to Postgres. */
  connectionWaited(waitedMs: number): void;
  /** An error of the runtime itself under a job. */
  ownError(): void;
  /** What the bound of a queue dropped, and burials ended. */
  evicted(what: "dead letter" | "unrouted job"): void;
  databaseOutage(down: boolean): void;
  /** For metrics of an engine's own; loads what most workers load when they are first asked for theirs. */
  ownRegistry(): Promise<Registry>;
  /** The text of /metrics. */
  render(): Promise<string>;
}

export interface MetricsOptions {
  engine: string;
  inFlight(): number;
  /** Since when deliveries are held of which none ended, milliseconds. */
  heldForMs(): number;
  /** Of the bodies of all deliveries in flight. */
  heldBytes(): number;
  ready(): boolean;
}

/**
 * Counting is a few additions on plain numbers; prom-client, which hashes its labels on every call,
 * is loaded and filled only when somebody scrapes.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const series = new Map<string, Series>();
  const totals: Totals = {
    redisSkipped: 0,
    staleAcks: 0,
    undecodable: 0,
    loopBlocks: 0,
    unroutableReplies: 0,
    refusedReplies: 0,
    refusedEvents: 0,
    connectionWaits: 0,
    connectionWaitMs: 0,
    ownErrors: 0,
    evictedLetters: 0,
    evictedUnrouted: 0,
    databaseDown: 0,
  };
  let registry: Promise<Registry> | undefined;
  let own: Registry | undefined;

  function seriesOf(action: string): Series {
    let found = series.get(action);
    if (found === undefined) {
      found = { outcomes: new Map(), buckets: new Array(BUCKETS_S.length + 1).fill(0), sumS: 0 };
      series.set(action, found);
    }
    return found;
  }

  return {
    settled(received, outcome, durationMs) {
      const counts = seriesOf(received.kind === "job" ? received.actionName : "none");
      const label = labelOf(outcome);
      counts.outcomes.set(label, (counts.outcomes.get(label) ?? 0) + 1);
      if (outcome.kind !== "result") return;
      const seconds = durationMs / 1000;
      const bucket = BUCKETS_S.findIndex((bound) => seconds <= bound);
      const at = bucket === -1 ? BUCKETS_S.length : bucket;
      counts.buckets[at] = (counts.buckets[at] ?? 0) + 1;
      counts.sumS += seconds;
    },
    redisSkipped(jobs) {
      totals.redisSkipped += jobs;
    },
    staleAcks(count) {
      totals.staleAcks += count;
    },
    undecodable() {
      totals.undecodable++;
    },
    loopBlocked() {
      totals.loopBlocks++;
    },
    undelivered(what, why) {
      if (what === "event") totals.refusedEvents++;
      else if (why === "returned") totals.unroutableReplies++;
      else totals.refusedReplies++;
    },
    connectionWaited(waitedMs) {
      totals.connectionWaits++;
      totals.connectionWaitMs += waitedMs;
    },
    ownError() {
      totals.ownErrors++;
    },
    evicted(what) {
      totals[what === "dead letter" ? "evictedLetters" : "evictedUnrouted"]++;
    },
    databaseOutage(down) {
      totals.databaseDown = down ? 1 : 0;
    },
    async ownRegistry() {
      const { Registry } = await import("prom-client");
      own ??= new Registry();
      own.setDefaultLabels({ engine: options.engine });
      return own;
    },
    async render() {
      registry ??= createRegistry(options, series, totals);
      const owns = own === undefined ? "" : await own.metrics();
      return (await (await registry).metrics()) + owns + durations(options.engine, series);
    },
  };
}

/**
 * The duration histogram in the text format, since prom-client's Histogram can only be filled one
 * observation at a time. The names of engine and actions hold nothing that needs escaping.
 */
function durations(engine: string, series: Map<string, Series>): string {
  const name = "engine_job_duration_seconds";
  const lines = [
    `# HELP ${name} Time from claim to ack of jobs that got their result`,
    `# TYPE ${name} histogram`,
  ];
  for (const [action, { buckets, sumS }] of series) {
    const labels = `action="${action}",engine="${engine}"`;
    let cumulative = 0;
    buckets.forEach((count, i) => {
      cumulative += count;
      lines.push(`${name}_bucket{le="${BUCKETS_S[i] ?? "+Inf"}",${labels}} ${cumulative}`);
    });
    lines.push(`${name}_sum{${labels}} ${sumS}`, `${name}_count{${labels}} ${cumulative}`);
  }
  return `${lines.join("\n")}\n`;
}

function labelOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "result":
      return outcome.row.code ?? "succeeded";
    case "unrecorded":
      return outcome.problem.code;
    default:
      return outcome.kind;
  }
}

async function createRegistry(
  { engine, inFlight, heldForMs, heldBytes, ready }: MetricsOptions,
  series: Map<string, Series>,
  totals: Totals,
): Promise<Registry> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import("prom-client");
  const registry = new Registry();
  registry.setDefaultLabels({ engine });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];

  new Counter({
    name: "engine_deliveries_total",
    help: "Settled deliveries by action and outcome",
    labelNames: ["action", "outcome"],
    registers,
    collect() {
      this.reset();
      for (const [action, { outcomes }] of series)
        for (const [outcome, count] of outcomes) this.inc({ action, outcome }, count);
    },
  });
  for (const [name, help, read] of counters(totals)) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
  const gauges: [string, string, () => number][] = [
    ["engine_jobs_in_flight", "Deliveries being worked on", inFlight],
    ["engine_held_bytes", "Bytes of the bodies of all deliveries in flight", heldBytes],
    [
      "engine_held_without_end_seconds",
      "Time since a delivery ended, while any is held; 0 while none is",
      () => heldForMs() / 1_000,
    ],
    ["engine_ready", "1 while the worker can take jobs", () => (ready() ? 1 : 0)],
    ["engine_database_down", "1 while Postgres can't be used", () => totals.databaseDown],
  ];
  for (const [name, help, read] of gauges) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  return registry;
}

function counters(totals: Totals): [string, string, () => number][] {
  return [
    ["engine_redis_skipped_total", "Jobs that went on without Redis", () => totals.redisSkipped],
    [
      "engine_stale_acks_total",
      "Acks dropped because their channel had closed",
      () => totals.staleAcks,
    ],
    [
      "engine_event_loop_blocked_total",
      "Times that the event loop stood still for more than a second",
      () => totals.loopBlocks,
    ],
    [
      "engine_undecodable_total",
      "Deliveries whose headers can't be decoded",
      () => totals.undecodable,
    ],
    [
      "engine_unroutable_replies_total",
      "Replies that reached no queue",
      () => totals.unroutableReplies,
    ],
    [
      "engine_refused_replies_total",
      "Replies given up because their queue was full or closed, or they were too large",
      () => totals.refusedReplies,
    ],
    [
      "engine_refused_events_total",
      "Events given up because a queue that is bound to them refused",
      () => totals.refusedEvents,
    ],
    [
      "engine_connection_waits_total",
      "Times that a job or a batch took a connection to Postgres",
      () => totals.connectionWaits,
    ],
    [
      "engine_connection_wait_seconds_total",
      "Time that jobs and batches waited for a connection to Postgres",
      () => totals.connectionWaitMs / 1000,
    ],
    [
      "engine_evicted_dead_letters_total",
      "Dead letters that the bound of their queue dropped",
      () => totals.evictedLetters,
    ],
    [
      "engine_evicted_unrouted_total",
      "Jobs for no engine that the bound of their queue dropped",
      () => totals.evictedUnrouted,
    ],
    ["engine_own_errors_total", "Errors of the runtime itself under a job", () => totals.ownErrors],
  ];
}
