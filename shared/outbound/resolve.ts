/** Asks the DNS for all addresses of a name. */
import { promises } from "node:dns";
import { OutboundError } from "./errors.ts";

/** Milliseconds for one question to one server; asked twice. */
const QUERY_TIMEOUT_MS = 2_000;
const QUERIES = 2;

export interface Resolver {
  /**
   * IPv4 first: few clusters have a way out for IPv6.
   * @throws {OutboundError} `dns_failed`.
   */
  addressesOf(host: string): Promise<string[]>;
  close(): void;
}

/**
 * Not `dns.lookup`: that reads /etc/hosts, tries the cluster's search domains first, so that `a.b` may be a
 * service next door, and holds one of Node's four threads for as long as a slow server likes.
 * @param servers `address:port`; the system's where none is given.
 */
export function openResolver(servers: readonly string[] | undefined): Resolver {
  const resolver = new promises.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERIES });
  if (servers) resolver.setServers(servers);
  return {
    async addressesOf(host) {
      const [ipv4, ipv6] = await Promise.allSettled([
        resolver.resolve4(host),
        resolver.resolve6(host),
      ]);
      const addresses = [ipv4, ipv6].flatMap((it) => (it.status === "fulfilled" ? it.value : []));
      if (addresses.length > 0) return [...new Set(addresses)];
      throw new OutboundError("dns_failed", `no address of ${host} is known`, {
        cause: ipv4.status === "rejected" ? ipv4.reason : undefined,
      });
    },
    close: () => resolver.cancel(),
  };
}
