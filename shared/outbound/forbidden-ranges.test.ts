/** The list that guard and NetworkPolicy share leaves nothing open that ipaddr.js knows to be special, and shuts little else. */
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { FORBIDDEN_IPV4, FORBIDDEN_IPV6, INTERNET } from "./forbidden-ranges.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const isIn = (address: Address, range: string) => {
  const [base, bits] = ipaddr.parseCIDR(range);
  return base.kind() === address.kind() && address.match(base, bits);
};

/** As a NetworkPolicy reads the list. */
const isOpen = (address: Address) =>
  INTERNET.some(
    ({ cidr, except }) => isIn(address, cidr) && !except.some((range) => isIn(address, range)),
  );

/** The first and the last address of each range, and their neighbours outside. */
function edgesOf(range: string): Address[] {
  const [base, bits] = ipaddr.parseCIDR(range);
  const size = base.kind() === "ipv4" ? 32n : 128n;
  const from = base.toByteArray().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const past = from + (1n << (size - BigInt(bits)));
  return [from - 1n, from, past - 1n, past]
    .filter((value) => value >= 0n && value < 1n << size)
    .map((value) => {
      const hex = value.toString(16).padStart(Number(size) / 4, "0");
      return ipaddr.fromByteArray([...Buffer.from(hex, "hex")]);
    });
}

/** ipaddr.js's own list; its types keep it to themselves. */
const special = [ipaddr.IPv4, ipaddr.IPv6].flatMap((kind) =>
  Object.values(
    (kind.prototype as unknown as { SpecialRanges: Record<string, unknown[]> }).SpecialRanges,
  ).flatMap((ranges) =>
    (Array.isArray(ranges[0])
      ? (ranges as [Address, number][])
      : [ranges as [Address, number]]
    ).map(([base, bits]) => `${base.toString()}/${bits}`),
  ),
);

test("whatever ipaddr.js knows to be special is shut, at each edge of each range", () => {
  expect(special.length).toBeGreaterThan(30);
  const edges = [...special, ...FORBIDDEN_IPV4, ...FORBIDDEN_IPV6].flatMap(edgesOf);
  const open = edges.filter((it) => isOpen(it) && it.range() !== "unicast");
  expect(open.map(String)).toEqual([]);
});

test("what is shut is special, but for a cloud's agent and IPv6 that nobody has been given", () => {
  const shut = [...special, ...FORBIDDEN_IPV4, ...FORBIDDEN_IPV6]
    .flatMap(edgesOf)
    .filter((it) => !isOpen(it) && it.range() === "unicast")
    .filter((it) => it.kind() === "ipv4" || isIn(it, "2000::/3"));
  expect(shut.map(String)).toEqual(["168.63.129.16", "168.63.129.16"]);
});

test("of any address, the two agree", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const ipv6 = bytes(16).map((it) => it.with(0, 0x20 | ((it[0] ?? 0) & 0x1f)));
  fc.assert(
    fc.property(fc.oneof(bytes(4), ipv6), (it) => {
      const address = ipaddr.fromByteArray([...it]);
      fc.pre(address.toString() !== "168.63.129.16");
      expect(isOpen(address)).toBe(address.range() === "unicast");
    }),
    { numRuns: 5_000 },
  );
});
