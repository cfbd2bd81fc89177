/** Decides whether an address may be connected to: the last word, asked of what will really be dialled. */
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import type { Exception } from "./allow-list.ts";
import { INTERNET } from "./forbidden-ranges.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export type Scheme = "http:" | "https:";

/** What this outbound lets through. */
export interface Policy {
  /** Ports that are open to public addresses, for each scheme. */
  openPorts: Record<Scheme, ReadonlySet<number>>;
  exceptions: readonly Exception[];
}

/** Whom the caller asked for. */
export interface Destination {
  scheme: Scheme;
  /** A name in lower case, or an address without brackets. */
  host: string;
  port: number;
}

const BLOCKS = INTERNET.map(({ cidr, except }) => ({
  block: ipaddr.parseCIDR(cidr),
  except: except.map((range) => ipaddr.parseCIDR(range)),
}));

/** Networks that an exception by name may lead into. Loopback and link-local take one by address. */
const PRIVATE_NETWORKS: string[] = ["private", "uniqueLocal", "carrierGradeNat"];

const inRange = (address: Address, [base, bits]: [Address, number]) =>
  address.kind() === base.kind() && address.match(base, bits);

/** An address of the internet, by our list and by ipaddr.js's, whichever is the stricter. */
const isPublic = (address: Address) =>
  address.range() === "unicast" &&
  BLOCKS.some(
    ({ block, except }) =>
      inRange(address, block) && !except.some((range) => inRange(address, range)),
  );

/** This machine's own addresses, however public: what listens on them is not meant for the outside. */
const isOwn = (address: Address) =>
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .some((own) => ipaddr.process(own.address).toString() === address.toString());

function parse(text: string): Address | undefined {
  // A zone id (fe80::1%eth0) picks one of this machine's own interfaces.
  if (text.includes("%") || !ipaddr.isValid(text)) return undefined;
  return ipaddr.parse(text);
}

/** Why the address must not be connected to; undefined when it may. */
export function refuseAddress(
  text: string,
  { scheme, host, port }: Destination,
  { openPorts, exceptions }: Policy,
): "blocked_address" | "blocked_port" | undefined {
  const address = parse(text);
  if (!address) return "blocked_address";
  const ofPort = exceptions.filter((it) => it.port === undefined || it.port === port);
  if (ofPort.some(({ range }) => range !== undefined && inRange(address, range))) return undefined;
  const isOutside = isPublic(address) && !isOwn(address);
  if (ofPort.some((it) => it.host === host))
    if (isOutside || PRIVATE_NETWORKS.includes(address.range())) return undefined;
  if (!isOutside) return "blocked_address";
  return openPorts[scheme].has(port) ? undefined : "blocked_port";
}
