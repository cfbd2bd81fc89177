/** A call to somebody else's HTTP API: how long to wait, what to try again, and what to give up. */
import { action, defineWorker, Reject, RetryLater } from "@tl-engine/shared";
import { z } from "zod";

/** Well below `timeoutMs`, so that a slow server is this handler's error and says which. */
const CALL_TIMEOUT_MS = 2_000;
const DEFAULT_WAIT_MS = 5_000;
const MAX_WAIT_MS = 3_600_000;

export default defineWorker({
  name: "rates",
  concurrency: 16, // also the most calls at once of one worker
  timeoutMs: 10_000,
  transactions: 0,
  actions: {
    fetch: action({
      version: 1,
      input: z.object({ currency: z.string().regex(/^[A-Z]{3}$/) }),
      output: z.object({ rate: z.number() }),
      async handle({ currency }, job) {
        const url = new URL(`/rates/${currency}`, process.env.RATES_URL);
        const response = await fetch(url, {
          // Ends with the job as well: its timeout, deadline, cancellation, or the worker's drain.
          signal: AbortSignal.any([job.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
          // Jobs run again: the other side must be able to tell.
          headers: { "idempotency-key": job.id },
        });
        if (response.ok) return (await response.json()) as { rate: number };
        await response.body?.cancel(); // gives the connection back
        throw errorFor(response);
      },
    }),
  },
});

/** A network error, a timeout and whatever else `fetch` throws is tried again, and counted. */
function errorFor({ status, headers }: Response): Error {
  const said = `the rates answered ${status}`;
  // "Not now" is no failure: it costs no attempt.
  if (status === 429) return new RetryLater(waitMs(headers.get("retry-after")));
  // Its failure may pass: tried again with growing delays, five times in all.
  if (status >= 500 || status === 408) return new Error(said);
  // Ours: the same call would be refused again.
  return new Reject(said);
}

/** Seconds, or a date. */
function waitMs(retryAfter: string | null): number {
  if (retryAfter === null) return DEFAULT_WAIT_MS;
  const seconds = Number(retryAfter);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? DEFAULT_WAIT_MS : Math.min(Math.max(0, ms), MAX_WAIT_MS);
}

/** For `RATES_URL=https://… make example NAME=http-call`. */
export const jobs = [["fetch", { currency: "EUR" }]] as const;
