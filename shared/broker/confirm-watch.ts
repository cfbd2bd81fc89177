/** Notices a message that stays unconfirmed, at the cost of two additions for each. */

const TICKS = 4;

export interface ConfirmWatch {
  /** Counts a message in; returns what {@link settled} wants to know. */
  sent(): number;
  settled(sentIn: number): void;
  /** Time stands still while the broker says that it takes nothing. */
  pause(): void;
  resume(): void;
  stop(): void;
}

/**
 * @param onOverdue called when a message has been unconfirmed for `timeoutMs` to 1.25 times that. Only time
 *   in which this process could have read an answer counts: a blocked event loop is one tick, however long.
 */
export function watchConfirms(timeoutMs: number, onOverdue: () => void): ConfirmWatch {
  // How many are unconfirmed, by the tick in which they were sent: the slot to be used next is the oldest.
  const unconfirmed = new Array<number>(TICKS + 1).fill(0);
  let slot = 0;
  let isPaused = false;
  const timer = setInterval(() => {
    if (isPaused) return;
    slot = (slot + 1) % unconfirmed.length;
    if ((unconfirmed[slot] as number) > 0) onOverdue();
  }, timeoutMs / TICKS);
  timer.unref();
  return {
    sent() {
      (unconfirmed[slot] as number)++;
      return slot;
    },
    settled(sentIn) {
      (unconfirmed[sentIn] as number)--;
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    stop() {
      clearInterval(timer);
    },
  };
}
