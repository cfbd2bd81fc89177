/** What callers of the engines import. */

export { ERROR_CODES, type ErrorCode } from "../wire/error-codes.ts";
export type { FileReference } from "../wire/files.ts";
export { JOB_ID } from "../wire/names.ts";
export type { JobError } from "../wire/reply.ts";
export type { Progress } from "./claims.ts";
export {
  type CallOptions,
  connect,
  type EngineClient,
  type SendOptions,
  type SentJob,
  type Subscription,
} from "./client.ts";
export * from "./contract.ts";
export { type Contract, contractOf } from "./contract-of.ts";
export * from "./errors.ts";
export type { EngineEvent, EventOptions } from "./events.ts";
export type { ClientFiles, S3Options, UploadOptions } from "./files.ts";
export type { JobOptions } from "./job.ts";
export type { ConnectOptions } from "./options.ts";
export type { JobReply } from "./replies.ts";
export type { JobResult } from "./results.ts";
export type { JobStatus } from "./status.ts";
