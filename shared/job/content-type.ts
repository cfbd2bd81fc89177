/** Whether a body's content type and encoding are JSON in plain UTF-8. */
import type { MessageProperties } from "../broker/consume.ts";
import { type Fault, invalid } from "./problem.ts";

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const PARAMETER = String.raw`[ \t]*;[ \t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?`;
const PARAMETERS = new RegExp(PARAMETER, "y");
const JSON_TYPE = /^application\/json(?=[ \t]*(?:;|$))/i;
const UTF8 = /^utf-?8$/i;
/** kombu writes the character set here. */
const PLAIN = /^(?:utf-?8|identity)$/i;

/** Returns whether the body can be read. */
export function checkContent(
  { contentType, contentEncoding }: MessageProperties,
  faults: Fault[],
): boolean {
  const before = faults.length;
  // What nearly every message has.
  if (contentType !== "application/json" && !isJson(contentType))
    invalid(faults, "content_type", "content_type must be application/json (UTF-8)");
  if (
    contentEncoding &&
    !PLAIN.test(typeof contentEncoding === "string" ? contentEncoding : "unreadable")
  )
    invalid(faults, "content_encoding", "content_encoding must be absent: bodies are plain UTF-8");
  return faults.length === before;
}

/** As RFC 9110, 8.3.1 writes it. A charset must be UTF-8, quoted or not; other parameters mean nothing to JSON and are ignored. */
function isJson(contentType: unknown): boolean {
  if (typeof contentType !== "string") return false;
  const type = JSON_TYPE.exec(contentType);
  if (type === null) return false;
  const end = contentType.trimEnd().length;
  PARAMETERS.lastIndex = type[0].length;
  while (PARAMETERS.lastIndex < end) {
    const parameter = PARAMETERS.exec(contentType);
    if (parameter === null) return false;
    const [, name, value = ""] = parameter;
    if (name?.toLowerCase() === "charset" && !UTF8.test(unquoted(value))) return false;
  }
  return true;
}

const unquoted = (value: string) =>
  value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
