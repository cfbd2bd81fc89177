/** Chooses the delay tier of a retry, and keeps retries within their budget. */
import { DEFAULT_MAX_ATTEMPTS, type WorkerDefinition } from "../engine/define-worker.ts";
import { DELAY_TIERS } from "../wire/names.ts";

export type Tier = (typeof DELAY_TIERS)[number];

const FIRST_DELAY_MS = 1_000;
const GROWTH = 5;

/**
 * Exponential: about 1 s, 5 s, 25 s, 2 min, 10 min; at random one of the two nearest tiers, since
 * fixed tiers would keep a burst in step.
 * @param attempt the counted run that failed, from 1.
 */
export function retryTier(attempt: number, random: () => number = Math.random): Tier {
  const [nearest, next] = retryTiers(attempt);
  return random() < 0.5 ? nearest : next;
}

function retryTiers(attempt: number): [Tier, Tier] {
  const idealMs = FIRST_DELAY_MS * GROWTH ** (attempt - 1);
  const byDistance = DELAY_TIERS.toSorted(
    (a, b) => Math.abs(Math.log(a.delayMs / idealMs)) - Math.abs(Math.log(b.delayMs / idealMs)),
  );
  return [byDistance[0] as Tier, byDistance[1] as Tier];
}

/**
 * How long a job can be under way from when a worker first takes it until its final reply, milliseconds: every run
 * takes all of its time and throws, every retry draws the longer tier and is held for the budget. What waits in a
 * queue before it, an outage, and a handler that asks for `RetryLater` come on top.
 */
export function longestReplyMs({
  timeoutMs,
  maxAttempts = DEFAULT_MAX_ATTEMPTS,
}: Pick<WorkerDefinition, "timeoutMs" | "maxAttempts">): number {
  let totalMs = timeoutMs;
  for (let attempt = 1; attempt < maxAttempts; attempt += 1)
    totalMs += Math.max(...retryTiers(attempt).map(({ delayMs }) => delayMs)) + HOLD_MS + timeoutMs;
  return totalMs;
}

/**
 * The shortest tier that does not end before `delayMs`. Past the longest tier it is that one: whoever
 * waits for longer looks when the job is back, and waits again.
 */
export function waitTier(delayMs: number): Tier {
  return DELAY_TIERS.find((tier) => tier.delayMs >= delayMs) ?? LONGEST_TIER;
}

/** The tier nearest to `delayMs`, for a wait that may end too early, which costs no more than another one. */
export function nearestTier(delayMs: number): Tier {
  const longer = DELAY_TIERS.find((tier) => tier.delayMs >= delayMs) ?? LONGEST_TIER;
  const shorter = DELAY_TIERS.findLast((tier) => tier.delayMs <= delayMs) ?? longer;
  return longer.delayMs - delayMs < delayMs - shorter.delayMs ? longer : shorter;
}

const LONGEST_TIER = DELAY_TIERS[DELAY_TIERS.length - 1] as Tier;

/**
 * A token bucket: each first attempt earns `ratio` of a retry. Past the budget retries still happen,
 * but each holds its place in the worker for a while, so that consumption slows instead of storming.
 */
export class RetryBudget {
  readonly #ratio: number;
  #tokens = BURST;

  constructor(ratio: number) {
    this.#ratio = ratio;
  }

  earn(): void {
    if (this.#tokens < BURST) this.#tokens = Math.min(BURST, this.#tokens + this.#ratio);
  }

  /** How long to hold this retry, in milliseconds; 0 within the budget. */
  spend(): number {
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 0;
    }
    return HOLD_MS;
  }
}

/** Retries that a quiet worker may make at once. */
const BURST = 20;
const HOLD_MS = 1_000;
