/** The wire: names, limits, error codes and reply bodies that callers and workers agree on. */

/** Every way in which a job can end without success. The list is closed: adding one is a change of the contract. */
export const ERROR_CODES = {
  invalid_input:
    "The envelope or the body breaks the contract; `details` holds the paths. Fix the job.",
  unknown_action: "The engine has no action of that name.",
  unknown_version: "The engine has the action, but not in that version.",
  payload_too_large: "The body is larger than the action accepts.",
  result_too_large: "The handler's output is larger than the action may return.",
  invalid_output:
    "The handler returned something its own output schema refuses: a bug of the engine.",
  idempotency_conflict: "This job id was used before with another input. Use a new id.",
  expired:
    "The job was past its deadline, or older than the results are kept, before it could run.",
  rejected: "The handler refused the job for good; `message` says why.",
  attempts_exhausted: "Every attempt failed; `message` is the last error. It can be replayed.",
  quarantined: "The job crashed its worker again and again, also when it ran alone.",
  cancelled: "The caller cancelled the job.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface JobError {
  code: ErrorCode;
  message: string;
  /** Whether sending the same input again, under a new id, could succeed. */
  retriable: boolean;
  /** Counted runs of the handler, from 1; 0 when it never ran. */
  attempt: number;
  details?: { path: string; message: string }[];
}

/** The body of a reply. */
export type Reply<Output = unknown> =
  | { status: "succeeded"; output: Output }
  | { status: "failed"; error: JobError };

/** Job id = idempotency key, 1 to 128 characters. */
export const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Names of engines, actions. */
export const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/** Delay tiers, shortest first; each is a queue `<prefix>.delay.<name>` whose messages return after `delayMs`. */
export const DELAY_TIERS = [
  { name: "1s", delayMs: 1_000 },
  { name: "5s", delayMs: 5_000 },
  { name: "30s", delayMs: 30_000 },
  { name: "2m", delayMs: 120_000 },
  { name: "10m", delayMs: 600_000 },
  { name: "1h", delayMs: 3_600_000 },
] as const;

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
  traceparent: "traceparent",
  /** Set on what we publish as mandatory, to match a basic.return to its publish. */
  publish: "x-publish",
} as const;

/** All broker names, derived from the prefix (default `engine`) so that a vhost can be shared. */
export function brokerNames(prefix = "engine") {
  return {
    prefix,
    /** Direct exchange; routing key = engine name. */
    jobs: `${prefix}.jobs`,
    /** Topic exchange; routing key = event type. */
    events: `${prefix}.events`,
    /** Alternate exchange of `jobs` and its queue: jobs for engines that do not exist. */
    unrouted: `${prefix}.unrouted`,
    /** Dead-letter exchange of engine queues, and the queue of the internal worker that ends what the broker dropped. */
    burials: `${prefix}.burials`,
    queue: (engine: string) => `${prefix}.${engine}`,
    dead: (engine: string) => `${prefix}.${engine}.dead`,
    /** Fanout exchange and queue of a delay tier. */
    delay: (tier: string) => `${prefix}.delay.${tier}`,
  };
}
export type BrokerNames = ReturnType<typeof brokerNames>;

/** The AMQP `type` of a job. */
export const jobType = (engine: string, action: string, version: number) =>
  `${engine}.${action}.v${version}`;

/** Message id of a reply: the same on every resend, another one when the job ended another way. */
export const replyId = (engine: string, jobId: string, generation: number, ending: string) =>
  `${engine}/${jobId}/${generation}/${ending}`;

/** Redis keys. */
export const redisKeys = {
  claim: (prefix: string, engine: string, jobId: string) => `${prefix}:claim:${engine}:${jobId}`,
  /** Pub/sub channel on which callers announce cancellations to the workers of one engine. */
  cancel: (prefix: string, engine: string) => `${prefix}:cancel:${engine}`,
};
