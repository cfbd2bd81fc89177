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

/** Asks for the job again after about `delayMs` (rounded to a delay tier), without counting an attempt. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly delayMs: number;
  constructor(delayMs: number, message = "retry later", options?: ErrorOptions) {
    super(message, options);
    this.delayMs = delayMs;
  }
}
