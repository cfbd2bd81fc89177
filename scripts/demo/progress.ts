/** Follows a run: how many jobs each engine has done, how fast, and when nothing moves any more. */
import { setTimeout as delay } from "node:timers/promises";
import type { Observer } from "./observe.ts";
import type { Rows } from "./rows.ts";
import type { Fleet } from "./scaler.ts";
import type { EngineView } from "./view.ts";

/** Without any progress for so long, what is missing counts as lost. */
const STALLED_MS = 30_000;
const POLL_MS = 300;
/** The rate shown is that of the last so many ms. */
const RATE_WINDOW_MS = 2_000;

export interface Expected {
  jobs: number;
  events: number;
}

export interface Progress {
  /** Waiting messages of an engine, remembered for the view. */
  depth(engine: string): Promise<number>;
  views(fleet: Fleet): EngineView[];
  /** Resolves when all is done (true), or when nothing moved for 30 s (false). */
  done(signal: AbortSignal): Promise<boolean>;
}

export function followProgress(
  observer: Observer,
  rows: Rows,
  expected: Expected,
  published: () => number,
): Progress {
  const waiting = new Map<string, number>();
  const taken = new Set<string>();
  const rates = { activities: rateMeter(), analytics: rateMeter() };

  /** Asks only for events that had no result yet, so that it costs less and less. */
  const readTaken = async () => {
    const open = [...observer.events.keys()].filter((id) => !taken.has(id));
    if (open.length === 0) return;
    for (const id of await rows.finished("analytics", open)) taken.add(id);
  };

  const view = (fleet: Fleet, name: "activities" | "analytics", done: number, came: number) => {
    const queued = waiting.get(name) ?? 0;
    return {
      name,
      waiting: queued,
      running: Math.max(0, came - done - queued),
      done,
      total: name === "activities" ? expected.jobs : expected.events,
      perSecond: rates[name](done),
      replicas: fleet.replicas(name),
      maxReplicas: fleet.maxReplicas(name),
    };
  };

  return {
    async depth(engine) {
      const messages = await observer.depth(engine);
      waiting.set(engine, messages);
      return messages;
    },
    views: (fleet) => [
      view(fleet, "activities", observer.replies.size, published()),
      view(fleet, "analytics", taken.size, observer.events.size),
    ],
    async done(signal) {
      let movedAt = Date.now();
      let before = -1;
      while (observer.replies.size < expected.jobs || taken.size < expected.events) {
        await delay(POLL_MS, undefined, { signal });
        await readTaken();
        const now = observer.replies.size + observer.events.size + taken.size;
        if (now !== before) movedAt = Date.now();
        before = now;
        if (Date.now() - movedAt > STALLED_MS) return false;
      }
      return true;
    },
  };
}

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
