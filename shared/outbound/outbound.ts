/** Requests to hosts that somebody else names: to the internet and nowhere else, within time and size. */
import { Agent } from "undici";
import { readAllowList } from "./allow-list.ts";
import type { Policy } from "./check-address.ts";
import { checkRequest, lowerCased, withoutOwn } from "./check-request.ts";
import { checkUrl, type Target } from "./check-url.ts";
import { guardedConnector } from "./connect.ts";
import { Deadlines, type TimeLimits } from "./deadlines.ts";
import { ACCEPTED_CODINGS } from "./decode.ts";
import { OutboundError } from "./errors.ts";
import { explain } from "./explain.ts";
import { openResolver } from "./resolve.ts";
import { type Answer, OutboundResponse, type SizeLimits } from "./response.ts";

export interface OutboundLimits extends TimeLimits, SizeLimits {
  /** Redirects that are followed, each checked like a URL of the caller's; GET and HEAD only. 0, the default: a 3xx is the answer. */
  maxRedirects: number;
}

export interface OutboundOptions extends Partial<OutboundLimits> {
  /** Whether http on port 80 is open beside https on 443; false by default. */
  http?: boolean;
  /** Further ports of public hosts; none by default. */
  ports?: readonly number[];
  /**
   * Private receivers, as whoever runs the fleet writes them: `hooks.example.internal:8443`, `10.1.0.0/16:443`,
   * `[fd00::/64]:443`, `127.0.0.1:*`. Over http as well. A name may lead to public and private addresses;
   * loopback and link-local ones open by address only.
   */
  allow?: readonly string[];
  /** `address:port` of the servers that names are asked of; the system's by default. */
  dnsServers?: readonly string[];
  /** Certificates in PEM that are trusted in place of the system's. */
  trustedCertificates?: string;
  /** Connections to one host and port at once; what is more waits within its headers' time. 64 by default. */
  maxConnectionsPerHost?: number;
}

export interface OutboundRequest extends Partial<OutboundLimits> {
  url: string | URL;
  /** GET by default. */
  method?: string;
  /** `host`, `content-length` and others of the connection are set for you and refused here. */
  headers?: Record<string, string>;
  /** Sent as it is, byte by byte. */
  body?: string | Uint8Array;
  /** Ends the request as `aborted`. */
  signal?: AbortSignal;
}

export interface Outbound {
  /**
   * Sends a request, and returns once the headers are there. Any status is an answer.
   * @throws {OutboundError} with one of its codes.
   */
  request(options: OutboundRequest): Promise<OutboundResponse>;
  /** Ends what is running, as `closed`, and all connections. */
  close(): Promise<void>;
}

const DEFAULTS: OutboundLimits = {
  connectTimeoutMs: 5_000,
  headersTimeoutMs: 10_000,
  firstByteTimeoutMs: 5_000,
  lastByteTimeoutMs: 10_000,
  totalTimeoutMs: 20_000,
  maxRawBytes: 5 * 1_048_576,
  maxDecodedBytes: 10 * 1_048_576,
  maxRedirects: 0,
};
const MAX_HEADER_BYTES = 32_768;
/** A server may send any number of these before its answer; those that do so honestly send one or two. */
const MAX_INFORMATIONAL = 16;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Opens a way out. One for each engine is enough; each keeps connections of its own.
 * @throws {RangeError} when an entry of `allow`, a port or a limit makes no sense.
 */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const policy = policyOf(options);
  const limits = limitsOf(DEFAULTS, options);
  const resolver = openResolver(options.dnsServers);
  const agent = new Agent({
    connect: guardedConnector({
      policy,
      resolver,
      timeoutMs: limits.connectTimeoutMs,
      trustedCertificates: options.trustedCertificates,
    }),
    connections: options.maxConnectionsPerHost ?? 64,
    pipelining: 1,
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: 4_000,
    // A server's wish to be kept is not followed for long: it costs us a socket.
    keepAliveMaxTimeout: 10_000,
    // Deadlines are ours.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    request: (asked) => send(asked, { policy, agent, limits: limitsOf(limits, asked) }),
    async close() {
      await agent.destroy(new OutboundError("closed", "the outbound is closed"));
      resolver.close();
    },
  };
}

function policyOf({ http, ports = [], allow = [] }: OutboundOptions): Policy {
  for (const port of ports)
    if (!(Number.isInteger(port) && port > 0 && port < 65_536))
      throw new RangeError(`a port is a number from 1 to 65535, not ${port}`);
  return {
    openPorts: {
      "https:": new Set([443, ...ports]),
      "http:": new Set(http ? [80, ...ports] : []),
    },
    exceptions: readAllowList(allow),
  };
}

function limitsOf(defaults: OutboundLimits, { ...given }: Partial<OutboundLimits>): OutboundLimits {
  const limits = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof OutboundLimits)[]) {
    const value = given[name];
    if (value === undefined) continue;
    if (
      !Number.isInteger(value) ||
      value < (name === "maxRedirects" ? 0 : 1) ||
      value > 2 ** 31 - 1
    )
      throw new RangeError(`${name} is a whole number from 1, not ${value}`);
    limits[name] = value;
  }
  return limits;
}

interface Way {
  policy: Policy;
  agent: Agent;
  limits: OutboundLimits;
}

async function send(asked: OutboundRequest, way: Way): Promise<OutboundResponse> {
  const { method = "GET", headers = {}, body } = asked;
  checkRequest(method, headers, body, way.limits.maxRedirects);
  const first = checkUrl(asked.url, way.policy);
  const deadlines = new Deadlines(way.limits, asked.signal);
  let open: Answer | undefined;
  try {
    const sent = { "accept-encoding": ACCEPTED_CODINGS, ...lowerCased(headers) };
    const { answer, target, redirects } = await follow(first, method, sent, body, way, deadlines);
    open = answer;
    const from = { url: target.url.href, redirects, isHead: method === "HEAD" };
    return new OutboundResponse(answer, from, way.limits, deadlines);
  } catch (error) {
    deadlines.stop();
    open?.body.destroy();
    throw explain(error, deadlines.signal);
  }
}

async function follow(
  first: Target,
  method: string,
  firstHeaders: Record<string, string>,
  body: string | Uint8Array | undefined,
  { policy, agent, limits }: Way,
  deadlines: Deadlines,
) {
  const seen = new Set<string>();
  let target = first;
  let headers = firstHeaders;
  for (let redirects = 0; ; redirects++) {
    seen.add(heardOf(target.url));
    const answer = await exchange(target, { method, headers, body }, agent, deadlines);
    if (limits.maxRedirects === 0 || !REDIRECTS.includes(answer.statusCode))
      return { answer, target, redirects };
    // Not read to its end, which may never come.
    answer.body.destroy();
    if (redirects === limits.maxRedirects)
      throw new OutboundError("too_many_redirects", `more than ${redirects} redirects`);
    const next = checkUrl(placeOf(answer), policy, target.url);
    if (seen.has(heardOf(next.url)))
      throw new OutboundError("too_many_redirects", "a redirect leads back to where it came from");
    if (next.url.origin !== target.url.origin) headers = withoutOwn(headers);
    target = next;
  }
}

/** What a server hears of a URL: a fragment is the reader's own. */
const heardOf = ({ origin, pathname, search }: URL) => `${origin}${pathname}${search}`;

function placeOf({ headers }: Answer): string {
  const { location } = headers;
  if (typeof location !== "string" || location === "")
    throw new OutboundError("bad_redirect", "a redirect has no place to go, or several");
  return location;
}

async function exchange(
  { url }: Target,
  {
    method,
    headers,
    body,
  }: { method: string; headers: Record<string, string>; body: string | Uint8Array | undefined },
  agent: Agent,
  deadlines: Deadlines,
): Promise<Answer> {
  deadlines.enter("headers");
  let informational = 0;
  const answer = await agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: method as "GET",
    headers,
    body: body ?? null,
    signal: deadlines.signal,
    onInfo() {
      informational += 1;
      if (informational > MAX_INFORMATIONAL)
        deadlines.end(new OutboundError("bad_response", "the answer does not begin"));
    },
  });
  // Destroyed by a deadline while nobody reads, it would otherwise end the process.
  answer.body.on("error", () => {});
  return answer;
}
