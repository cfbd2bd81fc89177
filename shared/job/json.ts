/** Reads a job's body: strict UTF-8 JSON, bounded in depth and keys, and its canonical hash. */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { isChanged } from "./number.ts";

const MAX_DEPTH = 64;
/** Above what the largest job of any engine has: 50,000 changes of five keys, among 5,000 items and states. */
const MAX_KEYS = 400_000;
/** An object without keys takes twenty times its two characters. */
const MAX_CONTAINERS = 200_000;
/** One of many keys takes V8 ten times as long as many of few. */
const MAX_KEYS_PER_OBJECT = 50_000;

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
 * Parses `body` and hashes its canonical form (keys sorted, no white space, much like RFC 8785).
 * Refuses what JSON.parse would quietly change: duplicate keys, numbers that a double can't hold,
 * invalid UTF-8, a byte order mark, and keys that poison prototypes.
 * @throws {BadJson}
 */
export function readJson(body: Buffer): { value: unknown; canonicalHash: string } {
  if (body.length === 0) throw new BadJson("the body is empty; send the input as a JSON object");
  if (!isUtf8(body)) throw new BadJson("the body is not valid UTF-8");
  const text = body.toString("utf8");
  if (text.charCodeAt(0) === 0xfeff) throw new BadJson("the body starts with a byte order mark");
  const seen = scan(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadJson("the body is not valid JSON", "", { cause: error });
  }
  if (seen.hasLongNumber) refuseChangedNumbers(text);
  const walk: Walk = { keys: 0 };
  const sorted = withSortedKeys(value, walk, "");
  if (walk.keys !== seen.keys) throw new BadJson("an object has the same key twice");
  return { value, canonicalHash: digest(JSON.stringify(sorted)) };
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
const ZERO = 48;
const NINE = 57;
const UPPER_E = 69;
const LOWER_E = 101;
const LONG_NUMBER = 16;

interface Seen {
  keys: number;
  /** Whether a number has 16 digits or more, or an exponent: few have, and only those are looked at again. */
  hasLongNumber: boolean;
}

/**
 * Bounds the depth before anything recurses, and counts the keys as written. In UTF-8 a byte below 128
 * is never part of another character.
 */
function scan(body: Buffer): Seen {
  let depth = 0;
  let keys = 0;
  let containers = 0;
  let digits = 0;
  let hasLongNumber = false;
  for (let i = 0; i < body.length; i++) {
    const c = body[i] as number;
    if (c >= ZERO && c <= NINE) {
      if (++digits >= LONG_NUMBER) hasLongNumber = true;
      continue;
    }
    if (digits > 0 && (c === LOWER_E || c === UPPER_E)) hasLongNumber = true;
    digits = 0;
    if (c === QUOTE) {
      i = endOfString(body, i + 1);
    } else if (c === COLON) {
      if (++keys > MAX_KEYS) throw new BadJson(`the body has more than ${MAX_KEYS} keys`);
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) throw new BadJson(`the body nests deeper than ${MAX_DEPTH} levels`);
      if (++containers > MAX_CONTAINERS)
        throw new BadJson(`the body has more than ${MAX_CONTAINERS} objects and arrays`);
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      depth--;
    }
  }
  return { keys, hasLongNumber };
}

function endOfString(body: Buffer, from: number): number {
  let i = from;
  for (let c = body[i]; c !== QUOTE && c !== undefined; c = body[i]) i += c === BACKSLASH ? 2 : 1;
  return i;
}

function refuseChangedNumbers(text: string): void {
  JSON.parse(text, (key, value, context?: { source?: string }) => {
    if (typeof value !== "number") return value;
    const source = context?.source ?? "";
    if (isChanged(value, source))
      throw new BadJson(
        "a number is out of range, or has more digits than a double holds; send it as a string",
        key,
      );
    return value;
  });
}

interface Walk {
  keys: number;
}

const FEW_KEYS = 20;

/** In the order of `sort()`, whose working memory would be a twentieth of all that a job takes. */
function sortKeys(keys: string[]): void {
  if (keys.length > FEW_KEYS) {
    keys.sort();
    return;
  }
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] as string;
    let j = i;
    for (; j > 0 && (keys[j - 1] as string) > key; j--) keys[j] = keys[j - 1] as string;
    keys[j] = key;
  }
}

function areSorted(keys: string[]): boolean {
  for (let i = 1; i < keys.length; i++)
    if ((keys[i - 1] as string) > (keys[i] as string)) return false;
  return true;
}

/**
 * The value with the keys of its objects in one order, whatever order they came in. What is in order already is no
 * copy: V8 would need as long for it as for parsing.
 */
function withSortedKeys(value: unknown, walk: Walk, path: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value)
    ? withSortedItems(value, walk, path)
    : sortedObject(value as Record<string, unknown>, walk, path);
}

function withSortedItems(items: unknown[], walk: Walk, path: string): unknown[] {
  let sorted: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const item = withSortedKeys(items[i], walk, path);
    if (sorted === undefined && item !== items[i]) sorted = items.slice(0, i);
    sorted?.push(item);
  }
  return sorted ?? items;
}

function sortedObject(
  value: Record<string, unknown>,
  walk: Walk,
  path: string,
): Record<string, unknown> {
  const keys = Object.keys(value);
  walk.keys += keys.length;
  if (keys.length > MAX_KEYS_PER_OBJECT)
    throw new BadJson(`an object has more than ${MAX_KEYS_PER_OBJECT} keys`, path);
  let sorted: Record<string, unknown> | undefined;
  if (!areSorted(keys)) {
    sortKeys(keys);
    sorted = {};
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (key === "__proto__" || (key === "prototype" && path === "constructor"))
      throw new BadJson(`the key ${JSON.stringify(key)} is not allowed`, key);
    const given = value[key];
    const item =
      typeof given === "object" && given !== null ? withSortedKeys(given, walk, key) : given;
    if (sorted === undefined && item !== given) sorted = firstOf(value, keys, i);
    if (sorted !== undefined) sorted[key] = item;
  }
  return sorted ?? value;
}

function firstOf(value: Record<string, unknown>, keys: string[], count: number) {
  const first: Record<string, unknown> = {};
  for (let i = 0; i < count; i++) first[keys[i] as string] = value[keys[i] as string];
  return first;
}
