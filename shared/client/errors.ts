/** What a caller's await can reject with: one class for each ending, each with a `code`. */
import type { ErrorCode } from "../wire/error-codes.ts";
import type { JobError } from "../wire/reply.ts";

/** Base of all errors of the client. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
  /** Stable, for programs; the message is for people. */
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Where a job's error came from. */
export interface JobIdentity {
  engine: string;
  id: string;
}

/** The job ended without success; `code` is one of the wire's closed list. */
export class JobFailed extends EngineError {
  override readonly name: string = "JobFailed";
  declare readonly code: ErrorCode;
  readonly job: JobIdentity;
  /** Whether sending the same input again, under a new id, could succeed. */
  readonly retriable: boolean;
  /** Counted runs of the handler; 0 when it never ran. */
  readonly attempt: number;
  readonly details: JobError["details"];
  constructor(job: JobIdentity, error: JobError) {
    super(error.code, error.message);
    this.job = job;
    this.retriable = error.retriable;
    this.attempt = error.attempt;
    this.details = error.details;
  }
}

/** The job ended because somebody cancelled it. */
export class Cancelled extends JobFailed {
  override readonly name = "Cancelled";
}

/** No reply came in time. The job may still run or have run; read it with `result(id, engine)`. */
export class CallTimeout extends EngineError {
  override readonly name = "CallTimeout";
  readonly job: JobIdentity;
  readonly timeoutMs: number;
  constructor(job: JobIdentity, timeoutMs: number) {
    super(
      "call_timeout",
      `no reply from ${job.engine} for job ${job.id} within ${timeoutMs} ms; it may still run: read its result by id, or call again with the same id`,
    );
    this.job = job;
    this.timeoutMs = timeoutMs;
  }
}

/** The broker has no queue for what was sent: it confirmed and returned it. */
export class Unroutable extends EngineError {
  override readonly name = "Unroutable";
  constructor(exchange: string, routingKey: string) {
    super(
      "unroutable",
      `the broker has no queue behind exchange ${JSON.stringify(exchange)}, key ${JSON.stringify(routingKey)}; declare the topology (make topology)`,
    );
  }
}

/** Why a broker did not take what was sent. */
export const BROKER_ERRORS = {
  broker_unreachable: "check AMQP_URL and that the broker runs",
  not_amqp: "what answers there is no AMQP 0-9-1 broker; check the port of AMQP_URL",
  tls_failed: "check amqps:// and the port; name the CA in NODE_EXTRA_CA_CERTS",
  broker_blocked: "the broker is low on memory or disk and takes no messages; free some",
  broker_refused: "the broker refused it: its queue is full or failing; look at the broker's log",
  confirm_timeout: "the broker does not confirm what it is sent; look at its load",
  access_refused: "check the user, its password, the vhost and the user's rights on it",
  topology_missing:
    "there is no fleet under this prefix: connect({ prefix }) must be the workers' ENGINE_PREFIX; if it is, declare the exchanges and queues (make topology)",
} as const;
export type BrokerErrorCode = keyof typeof BROKER_ERRORS;

/** The broker could not be reached or did not confirm in time. Sending again under the same id is safe. */
export class BrokerUnavailable extends EngineError {
  override readonly name = "BrokerUnavailable";
  declare readonly code: BrokerErrorCode;
  /** The broker may have the message all the same: the bytes were written, the confirm is missing. */
  readonly maybeAccepted: boolean;
  constructor(code: BrokerErrorCode, maybeAccepted: boolean, options?: ErrorOptions) {
    const cause = options?.cause instanceof Error ? ` (${options.cause.message})` : "";
    const again = maybeAccepted
      ? "it may have been accepted, sending it again under the same id is safe"
      : "then send it again";
    super(code, `${code}${cause}: ${BROKER_ERRORS[code]}; ${again}`, options);
    this.maybeAccepted = maybeAccepted;
  }
}

/** The caller's arguments can't be sent; nothing was published. */
export class InvalidArgument extends EngineError {
  override readonly name = "InvalidArgument";
  constructor(
    code:
      | "unknown_engine"
      | "unknown_action"
      | "invalid_id"
      | "invalid_input"
      | "invalid_option"
      | "payload_too_large",
    message: string,
  ) {
    super(code, message);
  }
}

/** The call needs a service that `connect` was not told of. */
export class NotConfigured extends EngineError {
  override readonly name = "NotConfigured";
  constructor(
    what: string,
    option: "databaseUrl" | "redisUrl" | "replyQueue" | "s3",
    variable?: string,
  ) {
    const hint = variable ? ` (usually the environment's ${variable})` : "";
    super("not_configured", `${what} needs connect({ ${option} })${hint}`);
  }
}

/** The Postgres role of `databaseUrl` is shown no results, so that none being there would say nothing. */
export class ResultsHidden extends EngineError {
  override readonly name = "ResultsHidden";
  constructor(role: string, publisher: string | undefined) {
    const whose = publisher === undefined ? "" : `NAME=${publisher} `;
    super(
      "results_hidden",
      `the Postgres role ${role} sees no rows of engine.results: connect({ databaseUrl }) needs a publisher's own role (make rights ${whose}ROLE=publisher)`,
    );
  }
}

/** A file could not be put into the bucket, or read from it; `cause` is what S3 said. */
export class FileTransferFailed extends EngineError {
  override readonly name = "FileTransferFailed";
  constructor(message: string, options?: ErrorOptions) {
    super("file_transfer_failed", message, options);
  }
}

/** The client was closed while, or before, this was asked. */
export class ClientClosed extends EngineError {
  override readonly name = "ClientClosed";
  constructor() {
    super("client_closed", "the client is closed; a job that was sent goes on without it");
  }
}
