/** What a handler throws to say how its job goes on. Anything else that it throws is a counted retry. */

/** Ends the job at once as `rejected`: trying again can't help. The message goes to the caller. */
export class Reject extends Error {
  override readonly name = "Reject";
  readonly details: { path: string; message: string }[] | undefined;
  constructor(
    message: string,
    options?: ErrorOptions & { details?: { path: string; message: string }[] },
  ) {
    super(message, options);
    this.details = options?.details;
  }
}

/**
 * Asks for the job again, without counting an attempt: never before `delayMs` has passed, and as soon
 * after it as the delay tiers allow, which are 1 s, 5 s, 30 s, 2 min, 10 min and 1 h. So 6 s become 30 s.
 * Past an hour the job comes back after each hour, and its handler has to ask again.
 */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly delayMs: number;
  /**
   * @param delayMs milliseconds from 0.
   * @throws {RangeError} when `delayMs` is no such number; in a handler that is a counted retry, like any error.
   */
  constructor(delayMs: number, message = "retry later", options?: ErrorOptions) {
    super(message, options);
    if (!(Number.isFinite(delayMs) && delayMs >= 0))
      throw new RangeError(
        `RetryLater takes a number of milliseconds from 0, not ${String(delayMs).slice(0, 40)}`,
      );
    this.delayMs = delayMs;
  }
}
