/** Notices when the event loop stood still: while it does, no ack, heartbeat or probe goes out of the process. */

export interface LoopWatchOptions {
  /** Told afterwards, for how many milliseconds. */
  onBlocked(blockedMs: number): void;
  /** A shorter block is none. Default: 1 s. */
  thresholdMs?: number;
}

const THRESHOLD_MS = 1_000;

/** Returns the function that ends it. A timer that comes late costs nothing while all is well, and keeps nothing alive. */
export function watchLoop({ onBlocked, thresholdMs = THRESHOLD_MS }: LoopWatchOptions): () => void {
  const intervalMs = thresholdMs / 2;
  let dueMs = performance.now() + intervalMs;
  const timer = setInterval(() => {
    const lateMs = performance.now() - dueMs;
    dueMs = performance.now() + intervalMs;
    if (lateMs >= thresholdMs) onBlocked(Math.round(lateMs));
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
