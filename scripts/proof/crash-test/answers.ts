/** Waits for answers: a fault that is to end before the next one comes goes by the replies that the callers heard. */
import { setTimeout as sleep } from "node:timers/promises";
import type { History } from "./history.ts";

/** A message that asks for its reply, which carries this. */
export type Asked = { correlationId: string };

/** Resolves when each has been answered, or with false when time is up. */
export type Answered = (asked: readonly Asked[], withinMs: number) => Promise<boolean>;

const POLL_MS = 100;

export function hearAnswers({ entries }: History): Answered {
  const heard = new Set<string>();
  let read = 0;
  return async (asked, withinMs) => {
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      for (; read < entries.length; read++) {
        const entry = entries[read];
        if (entry?.kind === "reply") heard.add(entry.correlationId);
      }
      if (asked.every(({ correlationId }) => heard.has(correlationId))) return true;
      if (performance.now() > giveUpAt) return false;
      await sleep(POLL_MS);
    }
  };
}
