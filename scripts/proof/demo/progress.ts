/** Follows a run: how many jobs each engine has done, how fast, and when nothing moves any more. */
import { setTimeout as delay } from "node:timers/promises";
import type { Observer } from "./observe.ts";
import type { Rows } from "./rows.ts";
import type { EngineView } from "./view.ts";
import type { Workers } from "./workers.ts";

/** Without any progress for so long, what is missing counts as lost. */
const STALLED_MS = 30_000;
const POLL_MS = 300;
const DEPTH_POLL_MS = 250;
const MAX_ASKED = 4_000;
/** The rate shown is that of the last so many ms. */
const RATE_WINDOW_MS = 2_000;

export interface Expected {
  jobs: number;
  events: number;
}

const READERS = ["analytics", "notifications", "automations"] as const;
const ENGINES = ["activities", ...READERS] as const;
type Engine = (typeof ENGINES)[number];

export interface Progress {
  /** Counts a call to `analytics` that is under way. */
  calling<Result>(call: Promise<Result>): Promise<Result>;
  views(workers: Workers): EngineView[];
  /** Resolves when all is done (true), or when nothing moved for 30 s (false). */
  done(signal: AbortSignal): Promise<boolean>;
  /** Ends to ask the broker for what the view shows. */
  close(): void;
}

/** `published` counts the distinct jobs that were handed to the broker. */
export function followProgress(
  observer: Observer,
  rows: Rows,
  expected: Expected,
  published: () => number,
): Progress {
  const waiting = new Map<string, number>();
  const taken = new Map<Engine, Set<string>>(READERS.map((engine) => [engine, new Set()]));
  let calls = 0;
  const rates = new Map(ENGINES.map((engine) => [engine, rateMeter()]));

  /** Asks only for events that had no result yet, so that it costs less and less. */
  const readTaken = async () => {
    // The oldest ones: they are done first, and asking for all of them would cost the fleet its time.
    for (const [engine, known] of taken) {
      const open = observer.events.keys().filter((id) => !known.has(id));
      for (const id of await rows.finished(engine, [...open.take(MAX_ASKED)])) known.add(id);
    }
  };

  /** Came to the engine, each job once: its copies are not run, but answered. */
  const came = (engine: Engine) =>
    engine === "activities"
      ? published()
      : observer.events.size + (engine === "analytics" ? calls : 0);
  const done = (engine: Engine) => taken.get(engine)?.size ?? observer.replies.size;
  const running = (engine: Engine) =>
    Math.max(0, came(engine) - done(engine) - (waiting.get(engine) ?? 0));
  const view = (workers: Workers, engine: Engine): EngineView => ({
    name: engine,
    waiting: waiting.get(engine) ?? 0,
    running: running(engine),
    done: done(engine),
    total: engine === "activities" ? expected.jobs : expected.events,
    perSecond: rates.get(engine)?.(done(engine)) ?? 0,
    replicas: workers.replicas(engine),
    maxReplicas: workers.maxReplicas(engine),
  });

  const readDepths = async () => {
    for (const engine of ENGINES) waiting.set(engine, await observer.depth(engine));
  };
  // A broker that does not answer now is asked again.
  const timer = setInterval(() => void readDepths().catch(() => {}), DEPTH_POLL_MS);

  return {
    close: () => clearInterval(timer),
    async calling(call) {
      calls++;
      try {
        return await call;
      } finally {
        calls--;
      }
    },
    views: (workers) => ENGINES.map((engine) => view(workers, engine)),
    async done(signal) {
      let movedAt = Date.now();
      let before = -1;
      const takenInAll = () => sumOf([...taken.values()].map(({ size }) => size));
      const isDone = () =>
        observer.replies.size >= expected.jobs && takenInAll() >= expected.events * READERS.length;
      while (!isDone()) {
        await delay(POLL_MS, undefined, { signal });
        await readTaken();
        const now = observer.replies.size + observer.events.size + takenInAll();
        if (now !== before) movedAt = Date.now();
        before = now;
        if (Date.now() - movedAt > STALLED_MS) return false;
      }
      return true;
    },
  };
}

const sumOf = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0);

/** Per second over the last window, from samples of a count that grows. */
function rateMeter() {
  const samples: { atMs: number; count: number }[] = [];
  return (count: number) => {
    const atMs = Date.now();
    samples.push({ atMs, count });
    while (samples.length > 2 && (samples[0]?.atMs ?? atMs) < atMs - RATE_WINDOW_MS)
      samples.shift();
    const first = samples[0] ?? { atMs, count };
    const passedMs = Math.max(200, atMs - first.atMs);
    return Math.round(((count - first.count) * 1_000) / passedMs);
  };
}
