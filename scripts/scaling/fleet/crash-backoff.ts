/** How long a container that ended by itself waits for its next start, as the kubelet reckons. */

const FIRST_MS = 10_000;
const MAX_MS = 300_000;
/** One that lived so long starts anew without a past. */
const FORGIVEN_AFTER_MS = 600_000;

/** The first restart is at once, then 10 s, doubling to 5 min (CrashLoopBackOff). */
export function createBackoff(): { delayMs(livedMs: number): number } {
  let nextMs = 0;
  return {
    delayMs(livedMs) {
      if (livedMs >= FORGIVEN_AFTER_MS) nextMs = 0;
      const delayMs = nextMs;
      nextMs = Math.min(MAX_MS, nextMs === 0 ? FIRST_MS : nextMs * 2);
      return delayMs;
    },
  };
}
