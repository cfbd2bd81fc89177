/** What can go wrong with a file, told apart by whose fault it is. */
import { Reject } from "../engine/errors.ts";

export type BadFileCode =
  | "bad_key"
  | "foreign_key"
  | "file_not_found"
  | "file_too_large"
  | "size_mismatch"
  | "checksum_mismatch"
  | "not_text"
  | "not_json";

/**
 * A file that a caller named is not what it has to be; trying again can't help, so a handler that lets it pass ends
 * its job as `rejected`.
 */
export class BadFile extends Reject {
  readonly code: BadFileCode;
  constructor(code: BadFileCode, message: string, options: ErrorOptions & { path?: string } = {}) {
    const { path = "", ...rest } = options;
    super(message, { ...rest, details: [{ path, message: code }] });
    this.code = code;
  }
}

export type FilesTrouble =
  /** No way to the server, no answer in time, or 5xx. */
  | "unreachable"
  /** 503 SlowDown, 429. */
  | "slow_down"
  /** It ended before its last byte. */
  | "cut"
  | "access_denied"
  | "wrong_signature"
  | "bucket_missing"
  /** Anything else that S3 does not want. */
  | "refused";

/**
 * S3 can't be used, or refuses us: neither the job nor its files are known to be at fault. A handler that lets it pass
 * has its job again uncounted as long as S3 stays away from everybody; see docs/meta/archivos.md.
 */
export class FilesUnavailable extends Error {
  override readonly name = "FilesUnavailable";
  readonly code: FilesTrouble;
  constructor(code: FilesTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A write came too late or twice: its job is over, or the sweep took what it had. A counted retry, like any error. */
export class FileLost extends Error {
  override readonly name = "FileLost";
  readonly code = "file_lost";
}
