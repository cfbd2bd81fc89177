/** The headers that callers and workers agree on. */

/** Header names used on jobs and replies. */
export const HEADERS = {
  /** Job: epoch ms past which it must not start. */
  deadline: "x-deadline",
  /** Set by retries and replies: the counted attempt, from 1. */
  attempt: "x-attempt",
  /** Set by retries: claims that neither finished nor were released. */
  crashes: "x-crashes",
  /** Set by replays only: the generation, from 1. */
  replay: "x-replay",
  /** Set on a job that the broker's delivery limit took before it had run, and that has its turn after all: how often. */
  returns: "x-returns",
  /** Set on a job that waits longer than the longest tier: epoch ms before which it must not run. */
  notBefore: "x-not-before",
  /** Set by retries, replays and dead letters: the broker user that published the job. */
  publisher: "x-publisher",
  traceparent: "traceparent",
  /** Set on dead letters: how the job ended, and the first 500 characters of why. */
  errorCode: "x-error-code",
  error: "x-error",
  /** Set on a dead letter that the broker could not take whole: bytes of the body that is missing. */
  droppedBytes: "x-dropped-bytes",
  /** Set on what we publish as mandatory, to match a basic.return to its publish. */
  publish: "x-publish",
} as const;
