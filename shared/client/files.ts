/** Files of jobs: puts an input where its engine reads it, and reads what an engine has written. */
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { CONTENT_TYPE, type FileReference, inputsPrefix, keyFault } from "../wire/files.ts";
import { NAME } from "../wire/names.ts";
import { FileTransferFailed, InvalidArgument, NotConfigured } from "./errors.ts";

/** Where the engines' bucket is, and as whom the caller uses it. */
export interface S3Options {
  /** `https://s3.us-east-005.backblazeb2.com` */
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** The bucket in the path, and not in the host name. Default true. */
  pathStyle?: boolean | undefined;
}

export interface UploadOptions {
  /** Last part of the key. Default `input`. */
  name?: string;
  /** Media type. Default `application/octet-stream`. */
  contentType?: string;
  /** Stops the upload, and leaves nothing of it. */
  signal?: AbortSignal;
}

const DEFAULT_TYPE = "application/octet-stream";
const PART_BYTES = 8 * 1024 * 1024;

/** Needs `s3` in `connect`, and the packages `@aws-sdk/client-s3` and `@aws-sdk/lib-storage`. */
export class ClientFiles {
  readonly #options: S3Options | undefined;
  readonly #prefix: string;
  #client: Promise<S3Client> | undefined;

  constructor(options: S3Options | undefined, prefix: string) {
    this.#options = options;
    this.#prefix = prefix;
  }

  /**
   * Puts a file where the engine reads it, in parts where it is large. Give the reference to a job as the value of the
   * field; the file is removed after 7 days.
   * @throws {FileTransferFailed} with what S3 said as `cause`.
   */
  async upload(
    engine: string,
    body: string | Uint8Array | AsyncIterable<string | Uint8Array>,
    options: UploadOptions = {},
  ): Promise<FileReference> {
    const { name = "input", contentType = DEFAULT_TYPE, signal } = options;
    if (!NAME.test(engine)) refuse("unknown_engine", `${engine} is no engine's name`);
    if (!CONTENT_TYPE.test(contentType)) refuse("invalid_option", "contentType is no media type");
    const key = `${inputsPrefix(this.#prefix, engine)}${randomBytes(18).toString("base64url")}/${name}`;
    const fault = name === "" ? "must not be empty" : keyFault(key);
    if (fault !== undefined) refuse("invalid_option", `name: the key ${fault}`);
    const { s3, bucket } = await this.#open("files.upload");
    const { Upload } = await import("@aws-sdk/lib-storage");
    const hash = createHash("sha256");
    let bytes = 0;
    async function* counted() {
      const pieces = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
      for await (const piece of pieces) {
        const chunk = typeof piece === "string" ? Buffer.from(piece) : piece;
        bytes += chunk.byteLength;
        hash.update(chunk);
        yield chunk;
      }
    }
    const upload = new Upload({
      client: s3,
      params: {
        ...{ Bucket: bucket, Key: key, ContentType: contentType },
        Body: Readable.from(counted(), { objectMode: false }),
      },
      partSize: PART_BYTES,
      queueSize: 2,
    });
    const onAbort = () => void upload.abort();
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await upload.done();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new FileTransferFailed(`the file for ${engine} could not be uploaded`, { cause });
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return { $file: key, bytes, sha256: hash.digest("hex"), contentType };
  }

  /**
   * The content of a file that a job's output refers to; size and checksum are checked at its end, which an error takes
   * the place of.
   * @throws {FileTransferFailed} also where it has expired.
   */
  async download(file: FileReference): Promise<Readable> {
    const fault = keyFault(file.$file);
    if (fault !== undefined || !file.$file.startsWith(`${this.#prefix}/`))
      refuse("invalid_option", `the key ${fault ?? `is none of the fleet ${this.#prefix}`}`);
    const { s3, bucket } = await this.#open("files.download");
    const { GetObjectCommand } = await import("@aws-sdk/client-s3");
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: file.$file }));
      return Readable.from(checked(Body as Readable, file), { objectMode: false });
    } catch (cause) {
      const isGone = (cause as Error).name === "NoSuchKey";
      const why = isGone ? "is not there: it has expired" : "could not be read";
      throw new FileTransferFailed(`the file ${why}`, { cause });
    }
  }

  async close(): Promise<void> {
    (await this.#client?.catch(() => undefined))?.destroy();
  }

  async #open(method: string): Promise<{ s3: S3Client; bucket: string }> {
    if (this.#options === undefined) throw new NotConfigured(method, "s3");
    this.#client ??= openClient(this.#options);
    return { s3: await this.#client, bucket: this.#options.bucket };
  }
}

async function openClient(options: S3Options): Promise<S3Client> {
  const { endpoint, region, accessKeyId, secretAccessKey, pathStyle = true } = options;
  const sdk = await import("@aws-sdk/client-s3").catch((cause) => {
    throw new InvalidArgument(
      "invalid_option",
      `files need the packages @aws-sdk/client-s3 and @aws-sdk/lib-storage: npm install them (${cause.code})`,
    );
  });
  return new sdk.S3Client({
    ...{ endpoint, region, forcePathStyle: pathStyle },
    credentials: { accessKeyId, secretAccessKey },
    // B2 answers 400 to the checksums that the SDK adds by itself.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

async function* checked(body: Readable, { bytes, sha256 }: FileReference) {
  const hash = createHash("sha256");
  let read = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.byteLength;
      hash.update(chunk);
      yield chunk;
    }
  } catch (cause) {
    throw new FileTransferFailed("the file ended before its last byte", { cause });
  }
  if (read !== bytes) throw new FileTransferFailed(`the file has ${read} bytes, not ${bytes}`);
  if (sha256 !== undefined && hash.digest("hex") !== sha256)
    throw new FileTransferFailed("the file is not the one that the job wrote (sha256)");
}

function refuse(code: "unknown_engine" | "invalid_option", message: string): never {
  throw new InvalidArgument(code, `files: ${message}`);
}
