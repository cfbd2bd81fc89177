/** Reads a file to its end, and no further than its reference says. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { FileReference } from "../wire/files.ts";
import { BadFile, FilesUnavailable } from "./errors.ts";
import { explainS3 } from "./explain-s3.ts";
import type { ReadOptions, StoredFile } from "./files.ts";
import type { OpenedObject } from "./store.ts";

const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/**
 * @param reference `bytes` below 0 where only the key is known.
 * @param onLoss told when S3 breaks off.
 */
export function openedFile(
  reference: FileReference,
  maxBytes: number,
  open: () => Promise<OpenedObject>,
  onLoss: (trouble: FilesUnavailable) => void,
): StoredFile {
  const stream = async (limit: number) => {
    // The word of whoever wrote the reference, before anything is asked for.
    checkSize(reference.bytes, limit);
    const opened = await open();
    const { bytes, sha256 } = reference;
    try {
      checkSize(opened.bytes, limit);
      if (bytes >= 0 && opened.bytes !== bytes)
        throw new BadFile(
          "size_mismatch",
          `the file has ${opened.bytes} bytes, and its reference says ${bytes}`,
        );
    } catch (error) {
      opened.body.destroy();
      throw error;
    }
    return Readable.from(checked(opened, sha256, onLoss), { objectMode: false });
  };
  const bytesOf = async ({
    maxBytes: limit = Math.min(maxBytes, MAX_TEXT_BYTES),
  }: ReadOptions = {}) => buffer(await stream(limit));
  const text = async (options?: ReadOptions) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(await bytesOf(options));
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_ENCODING_INVALID_ENCODED_DATA") throw error;
      throw new BadFile("not_text", "the file is not UTF-8", { cause: error });
    }
  };
  return {
    ...reference,
    stream: ({ maxBytes: limit = maxBytes } = {}) => stream(limit),
    bytesOf,
    text,
    async json(options) {
      const content = await text(options);
      try {
        return JSON.parse(content);
      } catch (error) {
        throw new BadFile("not_json", "the file is not JSON", { cause: error });
      }
    },
  };
}

function checkSize(bytes: number, limit: number): void {
  if (bytes > limit)
    throw new BadFile("file_too_large", `the file has ${bytes} bytes; at most ${limit} are read`);
}

async function* checked(
  { body, bytes }: OpenedObject,
  sha256: string | undefined,
  onLoss: (trouble: FilesUnavailable) => void,
) {
  const hash = createHash("sha256");
  let read = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.byteLength;
      hash.update(chunk);
      yield chunk;
    }
    if (read !== bytes)
      throw new FilesUnavailable("cut", `S3 sent ${read} of ${bytes} bytes of a file`);
  } catch (error) {
    // Of what reads us nothing comes here but the end of the generator.
    if ((error as Error).name === "AbortError") throw error;
    const trouble = explainS3(error);
    onLoss(trouble);
    throw trouble;
  }
  if (sha256 !== undefined && hash.digest("hex") !== sha256)
    throw new BadFile("checksum_mismatch", "the file is not what its reference says (sha256)");
}
