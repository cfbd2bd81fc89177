/** What a handler does with files: `job.files`. */
import type { Readable } from "node:stream";
import type { FileReference } from "../wire/files.ts";

export interface WriteOptions {
  /** Media type. Default: `application/octet-stream`. */
  contentType?: string;
  /** Seconds that the file lives after its job has succeeded, 60 to a year of 366 days. Default: that of the definition. */
  expiresS?: number;
  /** Past it the write ends with `file_too_large`. Default, and the most: that of the definition. */
  maxBytes?: number;
}

export interface ReadOptions {
  /** Past it the read ends with `file_too_large`. Default: that of the definition; of texts 16 MiB. */
  maxBytes?: number;
}

/** A file that can be read, once per call. All of it throws {@link BadFile} where it is not what its reference says. */
export interface StoredFile extends FileReference {
  /** The content in pieces; size and checksum are checked at its end, which an error takes the place of. */
  stream(options?: ReadOptions): Promise<Readable>;
  /** Strict UTF-8, all in memory. */
  text(options?: ReadOptions): Promise<string>;
  /** Parsed and not checked: give it to a schema. */
  json(options?: ReadOptions): Promise<unknown>;
  bytesOf(options?: ReadOptions): Promise<Buffer>;
}

export interface Files {
  /**
   * Stores a file, in parts where it is large, in flat memory. It is the job's: it stays when, and only when, the job
   * succeeds, and until it expires. Return the reference as output, or keep its key.
   * @param name the last part of its key, as `report.csv`; a slash makes folders.
   * @throws {FilesUnavailable} see there; {@link BadFile} for one that is too large; {RangeError} for bad options.
   */
  write(
    name: string,
    body: string | Uint8Array | AsyncIterable<string | Uint8Array>,
    options?: WriteOptions,
  ): Promise<FileReference>;
  /** @param file a reference, or the key of a file of this engine. */
  read(file: FileReference | string): StoredFile;
  /** Undefined where there is no such file. */
  head(
    file: FileReference | string,
  ): Promise<{ bytes: number; contentType: string | undefined } | undefined>;
  /** Removes a file of this engine at once, whatever becomes of the job. Does nothing where there is none. */
  delete(file: FileReference | string): Promise<void>;
  /**
   * A link by which anybody reads the file, with no other right.
   * @param options.expiresS seconds, 1 to 604,800 (SigV4's limit). Default an hour.
   * @param options.downloadAs makes a browser save it under this name.
   */
  linkToRead(
    file: FileReference | string,
    options?: { expiresS?: number; downloadAs?: string },
  ): Promise<string>;
  /**
   * A link by which anybody puts one file of exactly this size and type: `PUT` with both headers. It is removed 7 days
   * later. The reference is what a later job is given.
   * @param options.expiresS seconds, 1 to 604,800. Default an hour.
   */
  linkToWrite(
    name: string,
    options: { bytes: number; contentType: string; expiresS?: number },
  ): Promise<{ url: string; headers: Record<string, string>; file: FileReference }>;
  /** What {@link sweepFiles} does: removes what expired and what has no owner. Also runs by itself. */
  sweep(): Promise<Swept>;
}

export interface Swept {
  /** Files past their time. */
  expired: number;
  /** Files whose job never succeeded. */
  orphans: number;
  /** Uploads that were begun and never ended. */
  uploads: number;
  /** Whether there is more of it. */
  isMore: boolean;
}

/** What a definition may say of its files; `files: true` is all of it by default. */
export interface FilesOptions {
  /** Bytes of one file, read or written, 1 to 50 GiB. Default 1 GiB. */
  maxBytes?: number;
  /** Seconds that a file lives after its job has succeeded, 60 to a year of 366 days. Default 7 days. */
  expiresS?: number;
}

export const MAX_FILE_BYTES = 50 * 1024 ** 3;
export const MAX_EXPIRES_S = 366 * 86_400;
export const MIN_EXPIRES_S = 60;

export interface FileLimits {
  maxBytes: number;
  expiresS: number;
}

/** Undefined for an engine without files. */
export function fileLimitsOf(files: boolean | FilesOptions | undefined): FileLimits | undefined {
  if (!files) return undefined;
  const { maxBytes = 1024 ** 3, expiresS = 7 * 86_400 } = files === true ? {} : files;
  return { maxBytes, expiresS };
}
