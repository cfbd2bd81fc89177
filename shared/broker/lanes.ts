/** How many jobs a worker holds of each lane, and how many it runs. */
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { BURIALS, type Lane } from "../wire/names.ts";

/** Of the jobs that run at once: the rest of the places is always free of bulk jobs. */
const BULK_SHARE = 3 / 4;

export interface LanePlan {
  /** Jobs that run at once. */
  running: number;
  /** Deliveries that the worker holds of its queue, unacked. */
  prefetch: number;
  /** And of its bulk queue; undefined where the engine has none. */
  bulkPrefetch: number | undefined;
}

/**
 * Two consumers, each with a prefetch of its own, because the broker hands a single one nothing out of turn. What they
 * hold together is more than what may run: the gate lets the interactive ones go first. The bulk lane's prefetch is its
 * bound, too: no more of it can run than are held. With a single place an interactive job still goes between two others.
 * @param maxPrefetch MAX_PREFETCH, for both together.
 */
export function planLanes(
  { name, concurrency }: Pick<WorkerDefinition, "name" | "concurrency">,
  maxPrefetch = Number.POSITIVE_INFINITY,
): LanePlan {
  const running = Math.min(concurrency, maxPrefetch);
  if (!hasBulkLane(name)) return { running, prefetch: running, bulkPrefetch: undefined };
  const wanted = shareOf(concurrency, BULK_SHARE);
  if (concurrency + wanted <= maxPrefetch)
    return { running, prefetch: concurrency, bulkPrefetch: wanted };
  // The cap is shared as the places would have been.
  const bulkPrefetch = shareOf(maxPrefetch, wanted / (concurrency + wanted));
  return { running, prefetch: Math.max(1, maxPrefetch - bulkPrefetch), bulkPrefetch };
}

const shareOf = (count: number, share: number) => Math.max(1, Math.floor(count * share));

/** Burials takes what the broker buried: nobody publishes to it. */
export const hasBulkLane = (engine: string) => engine !== BURIALS;

export const lanesOf = (engine: string): Lane[] =>
  hasBulkLane(engine) ? ["interactive", "bulk"] : ["interactive"];
