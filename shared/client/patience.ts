/** Timeouts that only count time in which this process could have noticed an answer. */

const TICKS = 10;

/**
 * Calls `onTimeout` after `timeoutMs`; returns what stops it. Timers run before arrived data is read,
 * so after a blocked event loop a plain timer would blame the peer; here a block counts as one tick.
 */
export function patientTimeout(timeoutMs: number, onTimeout: () => void): () => void {
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks < TICKS) return;
    clearInterval(timer);
    onTimeout();
  }, timeoutMs / TICKS);
  return () => clearInterval(timer);
}
