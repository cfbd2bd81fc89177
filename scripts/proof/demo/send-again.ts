/** Sends again, under the same id, what the broker did not take: as a caller does whose broker is restarted. */
import { setTimeout as delay } from "node:timers/promises";
import { BrokerUnavailable } from "../../../shared/client/index.ts";

const RETRY_MS = 250;
/** A broker that is away for longer fails the run. */
const PATIENCE_MS = 60_000;

export async function sendAgain<Result>(
  send: () => Promise<Result>,
  signal: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<Result> {
  for (const startedAtMs = performance.now(); ; ) {
    signal.throwIfAborted();
    try {
      return await send();
    } catch (error) {
      const isAway = error instanceof BrokerUnavailable;
      if (!isAway || performance.now() - startedAtMs > patienceMs) throw error;
    }
    await delay(RETRY_MS, undefined, { signal });
  }
}
