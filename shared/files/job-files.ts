/** The files of one run of a job: what it writes is the job's once its result commits, and goes where it does not. */
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { Queryable } from "../stores/database.ts";
import {
  CONTENT_TYPE,
  type FileReference,
  filesPrefix,
  inputsPrefix,
  keyFault,
  MAX_LINK_S,
} from "../wire/files.ts";
import { BadFile, FileLost, FilesUnavailable } from "./errors.ts";
import { forgetFiles, insertFile, keepFiles, knownKeys, markRemoved } from "./file-rows.ts";
import {
  type FileLimits,
  type Files,
  MAX_EXPIRES_S,
  MIN_EXPIRES_S,
  type Swept,
  type WriteOptions,
} from "./files.ts";
import type { FileStore } from "./store.ts";
import { openedFile } from "./stored-file.ts";
import { sweepFiles } from "./sweep.ts";

/** What all jobs of a worker share. */
export interface FilesTools {
  store: FileStore;
  engine: string;
  /** ENGINE_PREFIX */
  prefix: string;
  limits: FileLimits;
  /** See SweepOptions. */
  graceMs: number;
}

export interface FilesJob {
  id: string;
  signal(): AbortSignal;
  /** Outside of the job's transaction. */
  db: Queryable;
}

const MAX_FILES = 1_000;
const DEFAULT_LINK_S = 3_600;
const DEFAULT_TYPE = "application/octet-stream";

export class JobFiles implements Files {
  /** S3 could not be used, whatever the handler made of it, and has not answered since. */
  lost: FilesUnavailable | undefined;
  readonly #tools: FilesTools;
  readonly #job: FilesJob;
  /** Of this run alone: a copy of the job that runs elsewhere, or ran before, writes under others. */
  readonly #run = randomBytes(9).toString("base64url");
  readonly #written = new Set<string>();
  readonly #writing = new Set<Promise<unknown>>();
  #count = 0;
  #hasEnded = false;

  constructor(tools: FilesTools, job: FilesJob) {
    this.#tools = tools;
    this.#job = job;
  }

  async write(
    name: string,
    body: string | Uint8Array | AsyncIterable<string | Uint8Array>,
    options: WriteOptions = {},
  ): Promise<FileReference> {
    const { limits } = this.#tools;
    const { contentType = DEFAULT_TYPE, expiresS = limits.expiresS } = options;
    const { maxBytes = limits.maxBytes } = options;
    checkType(contentType);
    checkRange("expiresS", expiresS, MIN_EXPIRES_S, MAX_EXPIRES_S);
    checkRange("maxBytes", maxBytes, 1, limits.maxBytes);
    if (++this.#count > MAX_FILES)
      throw new RangeError(`job.files.write: a job writes at most ${MAX_FILES} files`);
    const folder = `${filesPrefix(this.#tools.prefix, this.#tools.engine)}out/${this.#job.id}/${this.#run}-${this.#count}`;
    const key = this.#keyOf(folder, name);
    if (this.#hasEnded) throw new FileLost("the job has ended: await job.files.write() in it");
    const writing = this.#upload(key, body, { contentType, expiresS, maxBytes });
    this.#writing.add(writing);
    writing.catch(() => {}).finally(() => this.#writing.delete(writing));
    return writing;
  }

  async #upload(
    key: string,
    body: string | Uint8Array | AsyncIterable<string | Uint8Array>,
    options: Required<WriteOptions>,
  ): Promise<FileReference> {
    const { store, engine } = this.#tools;
    const { contentType, expiresS, maxBytes } = options;
    const signal = this.#job.signal();
    signal.throwIfAborted();
    await insertFile(this.#job.db, { engine, key, jobId: this.#job.id, expiresS });
    this.#written.add(key);
    const counted = new Counted(maxBytes);
    const content = Readable.from(counted.read(body), { objectMode: false });
    try {
      await this.#noteLoss(store.upload(key, content, { contentType, signal }));
    } catch (error) {
      this.#written.delete(key);
      await this.#discard([key]);
      // What the body threw is told as it is.
      throw counted.fault ?? error;
    }
    return { $file: key, bytes: counted.bytes, sha256: counted.digest(), contentType };
  }

  read(file: FileReference | string) {
    const reference = this.#referenceOf(file);
    const { store, limits } = this.#tools;
    return openedFile(
      reference,
      limits.maxBytes,
      async () => {
        const opened = await this.#noteLoss(store.open(reference.$file, this.#job.signal()));
        if (opened === undefined)
          throw new BadFile(
            "file_not_found",
            `there is no file ${reference.$file}: expired, or never uploaded`,
          );
        return opened;
      },
      (trouble) => {
        this.lost = trouble;
      },
    );
  }

  async head(file: FileReference | string) {
    const { $file: key } = this.#referenceOf(file);
    const info = await this.#noteLoss(this.#tools.store.head(key, this.#job.signal()));
    return info && { bytes: info.bytes, contentType: info.contentType };
  }

  async delete(file: FileReference | string): Promise<void> {
    const { $file: key } = this.#referenceOf(file);
    const { store, engine } = this.#tools;
    this.#written.delete(key);
    await markRemoved(this.#job.db, engine, [key]);
    await this.#noteLoss(store.remove(key));
    await forgetFiles(this.#job.db, engine, [key]);
  }

  async linkToRead(
    file: FileReference | string,
    options: { expiresS?: number; downloadAs?: string } = {},
  ): Promise<string> {
    const { $file: key, contentType } = this.#referenceOf(file);
    const { expiresS = DEFAULT_LINK_S, downloadAs } = options;
    checkRange("expiresS", expiresS, 1, MAX_LINK_S);
    const disposition = downloadAs === undefined ? undefined : attachment(downloadAs);
    return this.#tools.store.linkToRead(key, { expiresS, disposition, contentType });
  }

  async linkToWrite(
    name: string,
    options: { bytes: number; contentType: string; expiresS?: number },
  ) {
    const { store, prefix, engine, limits } = this.#tools;
    const { bytes, contentType, expiresS = DEFAULT_LINK_S } = options;
    checkRange("expiresS", expiresS, 1, MAX_LINK_S);
    checkRange("bytes", bytes, 0, limits.maxBytes);
    checkType(contentType);
    const folder = `${inputsPrefix(prefix, engine)}${randomBytes(18).toString("base64url")}`;
    const key = this.#keyOf(folder, name);
    const url = await store.linkToWrite(key, { expiresS, bytes, contentType });
    return {
      url,
      headers: { "content-type": contentType, "content-length": String(bytes) },
      file: { $file: key, bytes, contentType },
    };
  }

  sweep(): Promise<Swept> {
    return this.#noteLoss(sweepFiles({ ...this.#tools, client: this.#job.db }));
  }

  /**
   * Makes what was written the job's, in the transaction of its result, which is begun for it where it has to be.
   * @throws {FileLost} where the sweep was quicker: the job was away for longer than any runs.
   */
  async keep(begin: () => Promise<Queryable>): Promise<void> {
    this.#hasEnded = true;
    // A handler that did not await a write has a file that may be half there.
    if (this.#writing.size > 0)
      throw new FileLost("a file was still being written when the handler returned: await it");
    if (this.#written.size === 0) return;
    const kept = await keepFiles(await begin(), this.#tools.engine, [...this.#written]);
    if (kept < this.#written.size)
      throw new FileLost("a file of this job was taken for an orphan, since it took too long");
  }

  /** Removes what this run wrote, once it is known that it has not succeeded. Never throws; the sweep takes the rest. */
  async discard(): Promise<void> {
    this.#hasEnded = true;
    await Promise.allSettled(this.#writing);
    const keys = [...this.#written];
    this.#written.clear();
    await this.#discard(keys);
  }

  /** Whether S3 stays away from everybody, and not only from this job. */
  async isDown(): Promise<boolean> {
    const { store, prefix, engine } = this.#tools;
    try {
      await store.probe(filesPrefix(prefix, engine));
      return false;
    } catch {
      return true;
    }
  }

  async #discard(keys: string[]): Promise<void> {
    if (keys.length === 0) return;
    const { store, engine } = this.#tools;
    const { db } = this.#job;
    try {
      // Not what a commit, of which we never heard, made the job's.
      await markRemoved(db, engine, keys, "pending");
      // Those without a row too, which a sweep was too early for: their keys are this run's alone.
      const kept = await knownKeys(db, engine, keys, "kept");
      const removed = keys.filter((key) => !kept.has(key));
      for (const key of removed) await store.remove(key);
      await forgetFiles(db, engine, removed);
    } catch {
      // The rows stay, pending or removed.
    }
  }

  #keyOf(folder: string, name: string): string {
    const key = `${folder}/${name}`;
    const fault = typeof name === "string" && name !== "" ? keyFault(key) : "must be a text";
    if (fault !== undefined) throw new RangeError(`job.files: the name of a file ${fault}`);
    return key;
  }

  #referenceOf(file: FileReference | string): FileReference {
    const reference = typeof file === "string" ? { $file: file, bytes: -1 } : file;
    checkOwnKey(reference?.$file, this.#tools);
    return reference;
  }

  async #noteLoss<T>(work: Promise<T>): Promise<T> {
    try {
      const answer = await work;
      this.lost = undefined;
      return answer;
    } catch (error) {
      if (error instanceof FilesUnavailable) this.lost = error;
      throw error;
    }
  }
}

/** @throws {BadFile} for a key that is none, or of another engine. */
export function checkOwnKey(
  key: unknown,
  { prefix, engine }: Pick<FilesTools, "prefix" | "engine">,
  path?: string,
): void {
  const at = path === undefined ? {} : { path };
  const fault = keyFault(key);
  if (fault !== undefined) throw new BadFile("bad_key", `the key of a file ${fault}`, at);
  const own = filesPrefix(prefix, engine);
  if (!(key as string).startsWith(own))
    throw new BadFile(
      "foreign_key",
      `the file is none of this engine's, which are below ${own}`,
      at,
    );
}

/** Counts and hashes what passes. */
class Counted {
  bytes = 0;
  /** Why it ended early, where it did. */
  fault: unknown;
  readonly #maxBytes: number;
  readonly #hash = createHash("sha256");

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async *read(body: string | Uint8Array | AsyncIterable<string | Uint8Array>) {
    try {
      const pieces = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
      for await (const piece of pieces) {
        const chunk = typeof piece === "string" ? Buffer.from(piece) : piece;
        this.bytes += chunk.byteLength;
        if (this.bytes > this.#maxBytes)
          throw new BadFile("file_too_large", `the file has more than ${this.#maxBytes} bytes`);
        this.#hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      this.fault = error;
      throw error;
    }
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

function checkRange(name: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
  const number = (count: number) => count.toLocaleString("en");
  throw new RangeError(
    `job.files: ${name} must be a whole number from ${number(least)} to ${number(most)}`,
  );
}

function checkType(contentType: unknown): void {
  if (typeof contentType !== "string" || !CONTENT_TYPE.test(contentType))
    throw new RangeError("job.files: contentType must be a media type, as text/csv");
}

/** RFC 6266, with the name in UTF-8 (RFC 8187): a name can end neither the parameter nor the header. */
function attachment(name: string): string {
  if (typeof name !== "string" || name === "" || name.length > 200 || !name.isWellFormed())
    throw new RangeError("job.files: downloadAs must be a text of 1 to 200 characters");
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename*=UTF-8''${encoded}`;
}
