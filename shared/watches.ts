/** What runs beside the jobs: the watch of the event loop, heartbeats, and the ear for cancellations. */
import type { Claims } from "./job/claim.ts";
import { beatHearts, listenForCancels } from "./job/live-jobs.ts";
import type { PartsDependencies } from "./parts.ts";
import { watchLoop } from "./process/loop-watch.ts";

const LOOP_BLOCKED = "the event loop stood still: a handler that takes long must yield";

/** Returns what ends each of them. */
export function startWatches(
  claims: Claims,
  { definition, config, live, redis, metrics, log }: PartsDependencies,
): (() => void)[] {
  const { ENGINE_PREFIX: prefix, LEASE_MS } = config;
  const onBlocked = (blockedMs: number) => {
    metrics.loopBlocked();
    log.warn({ blockedMs, jobs: live.latest() }, LOOP_BLOCKED);
  };
  return [
    watchLoop({ onBlocked }),
    beatHearts(live, claims, LEASE_MS, log),
    listenForCancels(live, redis, { prefix, engine: definition.name, log }),
  ];
}
