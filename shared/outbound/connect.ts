/** Opens connections, and only to an address that was checked: looks the name up once, and dials what it saw. */
import { once } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { buildConnector, errors } from "undici";
import { type Destination, type Policy, refuseAddress } from "./check-address.ts";
import { portOf, refused, shown } from "./check-url.ts";
import { OutboundError } from "./errors.ts";
import type { Resolver } from "./resolve.ts";

/** Addresses that are tried, one after the other: each may take a quarter of a second of the connection's time. */
const MAX_TRIED = 8;

export interface ConnectOptions {
  policy: Policy;
  resolver: Resolver;
  /** Milliseconds for the lookup, TCP and TLS together. */
  timeoutMs: number;
  /** Certificates in PEM that are trusted in place of the system's. */
  trustedCertificates: string | undefined;
}

/**
 * What undici opens its connections with. A lookup of undici's own would not be called for an IP literal; this
 * is called for every connection, whatever the host is. A pool serves one scheme, host and port, so a kept
 * connection was checked for the very host that uses it next.
 */
export function guardedConnector(options: ConnectOptions): buildConnector.connector {
  const { timeoutMs, trustedCertificates } = options;
  const startTls = buildConnector({
    // One host's connection is one host's: HTTP/2 would share it among the names of a certificate.
    allowH2: false,
    timeout: timeoutMs,
    // Said here, NODE_TLS_REJECT_UNAUTHORIZED of the environment changes nothing.
    rejectUnauthorized: true,
    ...(trustedCertificates === undefined ? {} : { ca: trustedCertificates }),
  });
  return (asked, callback) => {
    open(asked, options, startTls).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

async function open(
  asked: buildConnector.Options,
  options: ConnectOptions,
  startTls: buildConnector.connector,
): Promise<Socket> {
  const scheme = asked.protocol === "https:" ? "https:" : "http:";
  const host = asked.hostname.replace(/^\[|\]$/g, "");
  const destination = { scheme, host, port: portOf(scheme, asked.port) } as const;
  const until = AbortSignal.timeout(options.timeoutMs);
  const addresses = await checkedAddresses(destination, options, until);
  const socket = await dial(addresses, destination, options.policy, until);
  if (scheme === "http:") return socket;
  return secure(socket, asked, host, startTls);
}

/**
 * All addresses of the host. One that is forbidden refuses the host: a name with one public and one private
 * address is a mistake or an attack, and going to the public one would make it work every other time.
 */
async function checkedAddresses(
  destination: Destination,
  { policy, resolver }: ConnectOptions,
  until: AbortSignal,
): Promise<string[]> {
  const { host } = destination;
  const addresses = isIP(host) > 0 ? [host] : await before(until, host, resolver.addressesOf(host));
  for (const address of addresses) {
    const refusal = refuseAddress(address, destination, policy);
    if (refusal) throw refused(refusal, destination);
  }
  return addresses.slice(0, MAX_TRIED);
}

async function before<T>(until: AbortSignal, host: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const expire = () => late.reject(tooSlow(host));
  until.addEventListener("abort", expire);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    until.removeEventListener("abort", expire);
  }
}

const tooSlow = (host: string) =>
  new OutboundError("timed_out", `${shown(host)} took too long to connect`);

async function dial(
  addresses: string[],
  destination: Destination,
  policy: Policy,
  until: AbortSignal,
): Promise<Socket> {
  const { host, port } = destination;
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  const [first] = all;
  if (!first) throw new OutboundError("dns_failed", `no address of ${shown(host)} is known`);
  const socket = connectTcp({
    port,
    host: all.length === 1 ? first.address : host,
    // Tries the next address when one does not answer, of those that it is given here and of no others.
    autoSelectFamily: all.length > 1,
    lookup: (_host, { all: wantsAll }, answer) =>
      wantsAll ? answer(null, all) : answer(null, first.address, first.family),
    noDelay: true,
    keepAlive: true,
  });
  try {
    await once(socket, "connect", { signal: until });
  } catch (cause) {
    socket.on("error", () => {}).destroy();
    if (until.aborted) throw tooSlow(host);
    throw new OutboundError("connect_failed", `${shown(host)} can't be connected to`, { cause });
  }
  // What was dialled is what was checked; should Node ever do otherwise, not a byte is sent.
  const refusal = refuseAddress(socket.remoteAddress ?? "", destination, policy);
  if (refusal) {
    socket.destroy();
    throw refused(refusal, destination);
  }
  return socket;
}

function secure(
  socket: Socket,
  asked: buildConnector.Options,
  host: string,
  startTls: buildConnector.connector,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  startTls({ ...asked, httpSocket: socket }, (error, secured) => {
    if (secured) return resolve(secured);
    socket.destroy();
    if (error instanceof errors.ConnectTimeoutError) return reject(tooSlow(host));
    const message = `${shown(host)} speaks no TLS that can be trusted`;
    reject(new OutboundError("tls_failed", message, { cause: error }));
  });
  return promise;
}
