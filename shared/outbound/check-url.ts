/** Reads a URL, of a caller or of a redirect, and refuses what can be refused before anybody is asked. */
import { isIP } from "node:net";
import { type Destination, type Policy, refuseAddress, type Scheme } from "./check-address.ts";
import { OutboundError } from "./errors.ts";

/** More than any server takes; what is longer is an attack on a log or a parser. */
const MAX_URL_LENGTH = 8_192;
const DEFAULT_PORT = { "http:": 80, "https:": 443 };
/** A host's name after WHATWG's rules: IDN is Punycode by then, and forms of IPv4 are dotted decimals. */
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
/**
 * Names that are never of the internet (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476; ICANN's .internal)
 * and those of a cluster. What such a name resolves to would be refused too; this way nobody is asked, and
 * the answer does not tell which of them exist.
 */
const NOT_OUTSIDE =
  /^[^.]*$|(^|\.)(localhost|local|localdomain|internal|intranet|private|corp|home|lan|arpa|onion|alt|invalid|svc|cluster\.local)$/;

/** A URL that may be asked, as far as one can tell without asking for its name. */
export interface Target extends Destination {
  url: URL;
}

/**
 * @param base what a relative URL of a redirect is relative to.
 * @throws {OutboundError} `bad_url`, `user_info`, `blocked_scheme`, `blocked_port`, `blocked_host`, `blocked_address`.
 */
export function checkUrl(input: string | URL, policy: Policy, base?: URL): Target {
  const url = parse(input, base);
  // One dot at the end says the same name, and no certificate knows it.
  if (url.hostname.endsWith(".")) url.hostname = url.hostname.slice(0, -1);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isAddress = isIP(host) > 0;
  if (url.username !== "" || url.password !== "")
    throw new OutboundError("user_info", `the URL for ${shown(host)} holds a user or a password`);
  const scheme = schemeOf(url);
  if (!isAddress && !NAME.test(host))
    throw new OutboundError("bad_url", "the URL's host is no name that a host can have");
  const port = portOf(scheme, url.port);
  const target: Target = { url, scheme, host, port };
  refusePort(target, policy);
  if (isAddress) {
    const refusal = refuseAddress(host, target, policy);
    if (refusal) throw refused(refusal, target);
  } else if (NOT_OUTSIDE.test(host) && !policy.exceptions.some((it) => it.host === host))
    throw new OutboundError("blocked_host", `${shown(host)} is not a host of the internet`);
  return target;
}

function parse(input: string | URL, base: URL | undefined): URL {
  const text = String(input);
  if (text.length > MAX_URL_LENGTH)
    throw new OutboundError("bad_url", `the URL is longer than ${MAX_URL_LENGTH} characters`);
  // WHATWG drops tabs and line breaks in silence: whoever looked at the text saw another URL.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused.
  if (/[\u0000-\u0020\u007f]/.test(text))
    throw new OutboundError("bad_url", "the URL holds a space or a control character");
  const url = URL.parse(text, base?.href);
  if (!url) throw new OutboundError("bad_url", "that is no URL");
  // Non-ASCII is escaped threefold, a relative URL has its base's length too.
  if (url.href.length > MAX_URL_LENGTH)
    throw new OutboundError("bad_url", `the URL is longer than ${MAX_URL_LENGTH} characters`);
  return url;
}

function schemeOf({ protocol }: URL): Scheme {
  if (protocol === "https:" || protocol === "http:") return protocol;
  throw new OutboundError("blocked_scheme", "the URL is neither https nor http");
}

function refusePort({ scheme, host, port }: Destination, { openPorts, exceptions }: Policy): void {
  if (openPorts[scheme].has(port)) return;
  // An exception's address is known, and compared, only after the lookup.
  if (exceptions.some((it) => it.port === undefined || it.port === port)) return;
  if (openPorts[scheme].size === 0)
    throw new OutboundError("blocked_scheme", `${shown(host)} is asked for without TLS`);
  throw refused("blocked_port", { scheme, host, port });
}

/** `text` is empty where the URL names no port, or its scheme's. */
export const portOf = (scheme: Scheme, text: string): number =>
  text === "" ? DEFAULT_PORT[scheme] : Number(text);

export const refused = (
  code: "blocked_address" | "blocked_port",
  { host, port }: Destination,
): OutboundError =>
  code === "blocked_port"
    ? new OutboundError(code, `port ${port} of ${shown(host)} is not open to requests`)
    : new OutboundError(code, `${shown(host)} is not at an address of the internet`);

/** A host in a message: of NAME's letters by now, or an address that the caller wrote. */
export const shown = (host: string): string => host.slice(0, 100);
