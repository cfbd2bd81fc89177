/** How long a server takes to answer nothing much: the median of a few questions. */
import { type Finding, failure, ok, warning } from "./check.ts";

const QUESTIONS = 3;
/** A job asks each server several times, and these add up. */
const WARNING_MS = 150;
const FAILURE_MS = 2_000;

/** @param version said beside it. */
export async function judgeLatency(
  version: string,
  ask: () => Promise<unknown>,
  byHand: string,
): Promise<Finding> {
  const times: number[] = [];
  for (let asked = 0; asked < QUESTIONS; asked++) {
    const startedAt = performance.now();
    await ask();
    times.push(performance.now() - startedAt);
  }
  const ms = times.toSorted((a, b) => a - b)[Math.floor(QUESTIONS / 2)] ?? 0;
  const found = `${version}, ${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  if (ms <= WARNING_MS) return ok(found);
  const cause =
    "it is in another region, overloaded, or far by a tunnel: every job waits for it several times";
  return (ms > FAILURE_MS ? failure : warning)(found, cause, byHand);
}
