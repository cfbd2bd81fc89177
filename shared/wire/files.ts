/** How a file is named in a message, and what a key in the bucket may be: what callers and workers agree on. */

/** Stands in a job or a result in place of what is too large for a message. */
export interface FileReference {
  /** Key in the bucket, `<prefix>/<engine>/…`; at most 1,024 bytes. */
  $file: string;
  /** Size in bytes. */
  bytes: number;
  /** SHA-256 of the content, 64 hex digits in lower case; checked by who reads it. */
  sha256?: string | undefined;
  /** Media type, as `text/csv`. */
  contentType?: string | undefined;
}

/** S3's own limit. */
export const MAX_KEY_BYTES = 1_024;
/** What callers hand in lives so long, whether a job used it or not. */
export const INPUT_DAYS = 7;
/** SigV4's own limit. */
export const MAX_LINK_S = 604_800;

/** A media type with parameters, without a character that could end its header. */
export const CONTENT_TYPE =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:; ?[A-Za-z0-9_-]{1,40}=[A-Za-z0-9!#$&^_.+:/ -]{1,80})?$/;
export const SHA256 = /^[0-9a-f]{64}$/;

/** All files of an engine, of itself and of its callers. An engine's rights end at it. */
export const filesPrefix = (prefix: string, engine: string) => `${prefix}/${engine}/`;
/** What callers put there for the engine; removed by age. */
export const inputsPrefix = (prefix: string, engine: string) => `${prefix}/${engine}/in/`;

/**
 * What is wrong with a key, or with a part of one; undefined for a good one. Servers and proxies on the way treat the
 * rest differently: as a folder above, as the end of the text, as two keys that look alike.
 */
export function keyFault(key: unknown): string | undefined {
  if (typeof key !== "string") return "must be a text";
  if (key === "") return "must not be empty";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(key)) return "has a control character";
  if (!key.isWellFormed()) return "has half of a character (a lone surrogate)";
  if (key.includes("\\")) return "has a backslash";
  if (key.split("/").some((part) => part === "" || part === "." || part === ".."))
    return 'has an empty part, "." or ".." between its slashes';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  return undefined;
}
