/** Refuses what a caller's request must not hold: a header of the connection, a line break, a body that GET has not. */
import { OutboundError } from "./errors.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const BODILESS = ["GET", "HEAD"];
/** They say where a message ends, or whom it is for; that is the guard's to say. */
const CONNECTION_HEADERS = [
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** RFC 9110: a token. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,200}$/i;
/** Visible characters, spaces and tabs, in Latin-1 as HTTP/1.1 sends them. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MAX_HEADERS_LENGTH = 16_384;

/** Headers that only the first host may see: another one that it redirects to is not whom they were for. */
const OWN_HEADERS = ["authorization", "cookie", "proxy-authorization"];

/** @throws {OutboundError} `bad_request`. Values are never repeated: they may be secrets. */
export function checkRequest(
  method: string,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
  maxRedirects: number,
): void {
  if (!METHODS.includes(method)) throw wrong(`the method is none of ${METHODS.join(", ")}`);
  if (BODILESS.includes(method) && body !== undefined) throw wrong(`${method} has no body`);
  if (maxRedirects > 0 && !BODILESS.includes(method))
    throw wrong(`redirects are followed by ${BODILESS.join(" and ")} only`);
  let length = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!NAME.test(name)) throw wrong("a header's name is no token");
    const lower = name.toLowerCase();
    if (CONNECTION_HEADERS.includes(lower) || lower.startsWith("proxy-"))
      throw wrong(`the header ${lower} is not the caller's to set`);
    if (typeof value !== "string" || !VALUE.test(value))
      throw wrong(`the header ${lower} holds what no header can, such as a line break`);
    length += name.length + value.length;
  }
  if (length > MAX_HEADERS_LENGTH)
    throw wrong(`the headers are longer than ${MAX_HEADERS_LENGTH} characters`);
}

/** In lower case, so that one is there once. */
export const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** What goes to another origin. */
export const withoutOwn = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.includes(name)));

const wrong = (message: string) => new OutboundError("bad_request", message);
