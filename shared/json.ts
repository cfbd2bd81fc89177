/** Reads a job's body: strict UTF-8 JSON, bounded in depth and keys, and its canonical hash. */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";

const MAX_DEPTH = 64;
const MAX_KEYS = 200_000;

/** The body can't be accepted; the message says why, for the publisher. */
export class BadJson extends Error {
  override readonly name = "BadJson";
  readonly path: string;
  constructor(message: string, path = "", options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/**
 * Parses `body` and hashes its canonical form (keys sorted, no white space, after RFC 8785).
 * Refuses what JSON.parse would quietly change: duplicate keys, numbers that a double can't hold,
 * invalid UTF-8, a byte order mark, and keys that poison prototypes.
 * @throws {BadJson}
 */
export function readJson(body: Buffer): { value: unknown; canonicalHash: string } {
  if (body.length === 0) throw new BadJson("the body is empty; send the input as a JSON object");
  if (!isUtf8(body)) throw new BadJson("the body is not valid UTF-8");
  const text = body.toString("utf8");
  if (text.charCodeAt(0) === 0xfeff) throw new BadJson("the body starts with a byte order mark");
  const keysInText = scan(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadJson("the body is not valid JSON", "", { cause: error });
  }
  if (MAYBE_UNSAFE_NUMBER.test(text)) refuseUnsafeNumbers(text);
  const walk: Walk = { keys: 0 };
  const canonical = canonicalize(value, walk, "");
  if (walk.keys !== keysInText) throw new BadJson("an object has the same key twice");
  return { value, canonicalHash: digest(canonical) };
}

/** Hash of a text or of bytes that are no JSON; 43 characters of base64url. */
export function digest(data: string | Buffer): string {
  return hash("sha256", data, "base64url");
}

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Bounds the depth before anything recurses, and counts the keys as written. */
function scan(text: string): number {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = endOfString(text, i + 1);
    } else if (c === COLON) {
      if (++keys > MAX_KEYS) throw new BadJson(`the body has more than ${MAX_KEYS} keys`);
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) throw new BadJson(`the body nests deeper than ${MAX_DEPTH} levels`);
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      depth--;
    }
  }
  return keys;
}

function endOfString(text: string, from: number): number {
  for (let i = text.indexOf('"', from); i !== -1; i = text.indexOf('"', i + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(i - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return i;
  }
  return text.length;
}

// Few bodies have a number of 16 digits or a three-digit exponent, and only those pay for the second parse.
const MAYBE_UNSAFE_NUMBER = /\d{16}|\d[eE][+]?\d{2}/;

function refuseUnsafeNumbers(text: string): void {
  JSON.parse(text, (key, value, context?: { source?: string }) => {
    if (typeof value !== "number") return value;
    const source = context?.source ?? "";
    if (!Number.isFinite(value) || (/^-?\d+$/.test(source) && !Number.isSafeInteger(value))) {
      throw new BadJson(
        `the number ${source.slice(0, 40)} is out of range; send it as a string`,
        key,
      );
    }
    return value;
  });
}

interface Walk {
  keys: number;
}

function canonicalize(value: unknown, walk: Walk, path: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    let out = "[";
    for (let i = 0; i < value.length; i++) {
      if (i > 0) out += ",";
      out += canonicalize(value[i], walk, path);
    }
    return `${out}]`;
  }
  const keys = Object.keys(value).sort();
  walk.keys += keys.length;
  let out = "{";
  for (const key of keys) {
    if (key === "__proto__" || (key === "prototype" && path === "constructor"))
      throw new BadJson(`the key ${JSON.stringify(key)} is not allowed`, key);
    if (out.length > 1) out += ",";
    out += `${JSON.stringify(key)}:${canonicalize((value as Record<string, unknown>)[key], walk, key)}`;
  }
  return `${out}}`;
}
