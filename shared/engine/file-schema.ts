/** Claim check: a field whose value is too large for a message, and so is a file that the message refers to. */
import type { Readable } from "node:stream";
import { z } from "zod";
import type { ReadOptions, StoredFile } from "../files/files.ts";
import {
  CONTENT_TYPE,
  type FileReference,
  keyFault,
  MAX_KEY_BYTES,
  SHA256,
} from "../wire/files.ts";

export interface FileFieldOptions {
  /** Bytes of the file, as its reference says and as it is read, 1 or more. Default: that of the definition. */
  maxBytes?: number;
  /** Media types that a reference may say, without parameters; with one, it must say one. Default: any, or none. */
  contentTypes?: readonly [string, ...string[]];
}

/** What a handler is given for a reference. It reads within its job, once per call; each throws `BadFile` where the file is not what the reference says. */
export class InputFile implements FileReference {
  readonly $file: string;
  readonly bytes: number;
  readonly sha256?: string | undefined;
  readonly contentType?: string | undefined;
  readonly #maxBytes: number | undefined;
  #open: ((reference: FileReference) => StoredFile) | undefined;

  constructor(reference: FileReference, maxBytes: number | undefined) {
    this.$file = reference.$file;
    this.bytes = reference.bytes;
    if (reference.sha256 !== undefined) this.sha256 = reference.sha256;
    if (reference.contentType !== undefined) this.contentType = reference.contentType;
    this.#maxBytes = maxBytes;
  }

  /** The runtime's: whose job reads it. */
  bind(open: (reference: FileReference) => StoredFile): void {
    this.#open = open;
  }

  stream(options: ReadOptions = {}): Promise<Readable> {
    return this.#opened().stream(this.#within(options));
  }

  /** Strict UTF-8, all in memory; at most 16 MiB unless told. */
  text(options?: ReadOptions): Promise<string> {
    return this.#opened().text(options);
  }

  /** Parsed and not checked: give it to a schema. */
  json(options?: ReadOptions): Promise<unknown> {
    return this.#opened().json(options);
  }

  bytesOf(options?: ReadOptions): Promise<Buffer> {
    return this.#opened().bytesOf(options);
  }

  #opened(): StoredFile {
    if (this.#open === undefined)
      throw new TypeError("a file() is read within its job, by an engine with files: true");
    return this.#open(this);
  }

  #within(options: ReadOptions): ReadOptions {
    return this.#maxBytes === undefined ? options : { maxBytes: this.#maxBytes, ...options };
  }
}

const typeOf = (contentType: string) => contentType.split(";", 1)[0]?.trim().toLowerCase();

/**
 * A field of an input or an output. On the wire it is a reference, `{ "$file": "<key>", "bytes": 123, "sha256": "…",
 * "contentType": "text/csv" }`; a handler is given an {@link InputFile}, and returns what `job.files.write` gave it.
 */
export function file(options: FileFieldOptions = {}): z.ZodType<InputFile, FileReference> {
  const { maxBytes, contentTypes } = options;
  const reference = z
    .object({
      $file: z
        .string()
        .min(1)
        .max(MAX_KEY_BYTES)
        .describe("Key of the file in the bucket, below the engine's own prefix."),
      bytes: z
        .int()
        .min(0)
        .max(maxBytes ?? Number.MAX_SAFE_INTEGER)
        .describe("Size of the file in bytes; any other is refused."),
      sha256: z
        .string()
        .regex(SHA256)
        .optional()
        .describe("SHA-256 of its content, 64 hex digits; any other content is refused."),
      contentType: z
        .string()
        .max(300)
        .regex(CONTENT_TYPE)
        .optional()
        .describe(
          contentTypes === undefined
            ? "Media type of the file."
            : `Media type of the file: ${contentTypes.join(", ")}.`,
        ),
    })
    .describe("A file in the bucket, in place of what is too large for a message.")
    .superRefine(({ $file, contentType = "" }, context) => {
      const fault = keyFault($file);
      if (fault !== undefined)
        context.addIssue({ code: "custom", path: ["$file"], message: `the key ${fault}` });
      if (contentTypes !== undefined && !contentTypes.includes(typeOf(contentType) ?? ""))
        context.addIssue({
          code: "custom",
          path: ["contentType"],
          message: `must be one of ${contentTypes.join(", ")}`,
        });
    })
    // The same fields, so its JSON Schema is that of the reference, both ways.
    .overwrite((given) => new InputFile(given, maxBytes) as never);
  return reference as never;
}

const MAX_DEPTH = 64;

/** Binds the files of an input, wherever they are, to the job that reads them. */
export function bindFiles(
  value: unknown,
  open: (reference: FileReference) => StoredFile,
  depth = 0,
): void {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
  if (value instanceof InputFile) {
    value.bind(open);
    return;
  }
  if (Array.isArray(value) || value instanceof Set || value instanceof Map) {
    for (const element of value.values()) bindFiles(element, open, depth + 1);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return;
  for (const element of Object.values(value)) bindFiles(element, open, depth + 1);
}
