/**
 * What counts as the internet: two blocks, and what is cut out of each. The guard and the NetworkPolicy of
 * engines that use it (manifests/components/outbound) both hold to this list. It imports nothing, so that
 * tools can read it without loading the guard.
 */

/** From https://www.iana.org/assignments/iana-ipv4-special-registry, and one that is in no registry. */
export const FORBIDDEN_IPV4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  // Carrier-grade NAT, and the metadata of one cloud.
  "100.64.0.0/10",
  "127.0.0.0/8",
  // A cloud's own agent and resolver; by every registry it is an address like any other.
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/**
 * Of 2000::/3, all that is given out. What lies outside of it is refused anyhow: ::1, mapped IPv4
 * (::ffff:0:0/96), NAT64 (64:ff9b::/96), unique local, link-local and multicast addresses.
 */
export const FORBIDDEN_IPV6 = [
  // Teredo, ORCHID, benchmarks and other protocols' assignments.
  "2001::/23",
  "2001:db8::/32",
  // 6to4, which carries an IPv4 address.
  "2002::/16",
  "2620:4f:8000::/48",
  "3fff::/20",
];

/** A block of addresses, and what is cut out of it. */
export const INTERNET = [
  { cidr: "0.0.0.0/0", except: FORBIDDEN_IPV4 },
  { cidr: "2000::/3", except: FORBIDDEN_IPV6 },
];
