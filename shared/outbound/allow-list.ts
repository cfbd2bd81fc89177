/** Exceptions that whoever runs the fleet writes down: receivers in a private network, and those of tests. */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface Exception {
  /** A name, exactly; or the range of addresses. */
  host: string | undefined;
  range: Range | undefined;
  /** Undefined: any. */
  port: number | undefined;
}

/** Shorter prefixes would open half of the world by a slip. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 16 };
const ENTRY = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\*|\d{1,5})$/;
const HOST = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;

/**
 * Reads entries such as `hooks.example.internal:8443`, `10.1.0.0/16:443`, `127.0.0.1:*`, `[fd00::/64]:443`.
 * @throws {RangeError} with the entry, and what is wrong with it.
 */
export const readAllowList = (entries: readonly string[]): Exception[] => entries.map(readEntry);

function readEntry(entry: string): Exception {
  const [, bracketed, plain, portText] = ENTRY.exec(entry) ?? [];
  const place = bracketed ?? plain;
  if (place === undefined)
    throw wrong(entry, "write host:port, address/prefix:port or [IPv6/prefix]:port");
  const port = portText === "*" ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong(entry, "ports go to 65535");
  const [address = "", prefix] = place.split("/");
  if (isIP(address) > 0) return { host: undefined, range: readRange(entry, address, prefix), port };
  const host = place.toLowerCase();
  if (!HOST.test(host) || /^[\d.]+$/.test(host)) throw wrong(entry, "that is no host's name");
  return { host, range: undefined, port };
}

function readRange(entry: string, address: string, prefix: string | undefined): Range {
  const parsed = ipaddr.parse(address);
  const longest = parsed.kind() === "ipv4" ? 32 : 128;
  const bits = prefix === undefined ? longest : Number(prefix);
  if (!/^\d+$/.test(prefix ?? "0") || bits > longest)
    throw wrong(entry, `a prefix is a number to ${longest}`);
  if (bits < SHORTEST_PREFIX[parsed.kind()])
    throw wrong(entry, `a prefix is ${SHORTEST_PREFIX[parsed.kind()]} or longer`);
  return [parsed, bits];
}

const wrong = (entry: string, why: string) =>
  new RangeError(`the allow-list's entry ${JSON.stringify(entry.slice(0, 100))}: ${why}`);
