/** The headers that callers and workers agree on. */

/** The most that a header which counts may say: runs, crashes, replays. */
export const MAX_COUNT = 1_000;

/** Header names used on jobs and replies. */
export const HEADERS = {
  /** Job: epoch ms past which it must not start. */
  deadline: "x-deadline",
  /** Set by retries and replies: the counted attempt, from 1. */
  attempt: "x-attempt",
  /** Set by retries: claims that neither finished nor were released. */
  crashes: "x-crashes",
  /** Set by retries: how often the broker took the job's earlier messages back into the queue. */
  returns: "x-returns",
  /** Set by replays only: the generation, from 1. */
  replay: "x-replay",
  /** Set on a job that the broker's delivery limit took before it had run, and that has its turn after all: how often. */
  rescues: "x-rescues",
  /** Job: epoch ms before which it must not run; it waits with the scheduler. */
  runAt: "x-run-at",
  /** Set on what the scheduler itself sends on its way back to it: lane and counts of the job that it is to keep. */
  held: "x-held",
  /** Set by the scheduler on a job that was cancelled while it waited, so that its engine ends it unrun. */
  cancelled: "x-cancelled",
  /** Set by retries, replays and dead letters: the broker user that published the job. */
  publisher: "x-publisher",
  /** Set on dead letters of the bulk lane: `bulk`, so that a replay returns to it. */
  lane: "x-lane",
  /** Set on a job that waited for its engine in `<prefix>.unrouted`: by which run of make replay it left. */
  rerouted: "x-rerouted",
  traceparent: "traceparent",
  /** Set on dead letters: how the job ended, and the first 500 characters of why. */
  errorCode: "x-error-code",
  error: "x-error",
  /** And where: `path: what is wrong there`, of as many places as 500 characters hold. */
  errorDetails: "x-error-details",
  /** When it ended, epoch ms. */
  endedAt: "x-ended-at",
  /** Set on a dead letter that is not kept whole: bytes of the body as it came; what is there is its head. */
  droppedBytes: "x-dropped-bytes",
  /** And its SHA-256 in hex, where the body was ever held. */
  bodySha256: "x-body-sha256",
  /** Set on what we publish as mandatory, to match a basic.return to its publish. */
  publish: "x-publish",
} as const;
