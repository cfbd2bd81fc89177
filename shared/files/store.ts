/** What a bucket is to the rest of the runtime, which knows no SDK. */
import type { Readable } from "node:stream";

/** What S3 says of an object. */
export interface ObjectInfo {
  bytes: number;
  contentType: string | undefined;
  modifiedAt: Date | undefined;
}

export interface OpenedObject extends ObjectInfo {
  /** To be read to its end, or destroyed. */
  body: Readable;
}

export interface ReadLink {
  /** Seconds from now, 1 to 604,800. */
  expiresS: number;
  /** Of the answer: `attachment; filename=…`. */
  disposition?: string | undefined;
  contentType?: string | undefined;
}

export interface WriteLink {
  expiresS: number;
  /** Exactly so many; S3 refuses any other upload. */
  bytes: number;
  contentType: string;
}

/**
 * One bucket, with one user's rights.
 * @throws {FilesUnavailable} from all that asks the server.
 */
export interface FileStore {
  /** In parts where it is large; when it rejects, nothing of it stays unless the server can't be reached. */
  upload(
    key: string,
    body: Readable,
    options: { contentType: string; signal: AbortSignal },
  ): Promise<void>;
  /** Undefined where there is none. */
  open(key: string, signal?: AbortSignal): Promise<OpenedObject | undefined>;
  /** Undefined where there is none. */
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined>;
  /** Does nothing where there is none. */
  remove(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<{ key: string; modifiedAt: Date }>;
  /** Multipart uploads that neither ended nor were aborted. */
  listUploads(prefix: string): AsyncIterable<{ key: string; uploadId: string; startedAt: Date }>;
  abortUpload(key: string, uploadId: string): Promise<void>;
  linkToRead(key: string, link: ReadLink): Promise<string>;
  linkToWrite(key: string, link: WriteLink): Promise<string>;
  /** One cheap question, which anybody with rights below the prefix has an answer to. */
  probe(prefix: string): Promise<void>;
  close(): void;
}
