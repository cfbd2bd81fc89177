/** The body of a reply, and its message id. */
import type { ErrorCode } from "./error-codes.ts";

export interface JobError {
  code: ErrorCode;
  message: string;
  /** Whether sending the same input again, under a new id, could succeed. */
  retriable: boolean;
  /** Counted runs of the handler, from 1; 0 when it never ran. */
  attempt: number;
  details?: { path: string; message: string }[];
}

/** Why a counted run failed after which the job runs again. */
export interface AttemptFailure {
  /** `timeout`, else the error's own code (`ECONNREFUSED`, `40P01`), else its name (`TypeError`). */
  code: string;
  /** At most 300 characters. */
  message: string;
  /** The counted run, from 1. */
  attempt: number;
}

/** The body of a reply. */
export type Reply<Output = unknown> =
  | { status: "succeeded"; output: Output }
  | { status: "failed"; error: JobError };

/** Message id of a reply: the same on every resend, another one when the job ended another way. */
export const replyId = (engine: string, jobId: string, generation: number, ending: string) =>
  `${engine}/${jobId}/${generation}/${ending}`;
