/** URLs and names that must not be asked: whatever is listening on this machine hears nothing of any of them. */

import { once } from "node:events";
import { connect } from "node:net";
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DnsServer, serveDns, type ZoneEntry } from "./dns-server.fixture.ts";
import { createOutbound, type Outbound, type OutboundCode, OutboundError } from "./index.ts";
import {
  countSockets,
  EVERYWHERE,
  HAS_IPV6,
  listenAt,
  ownAddresses,
  type Witness,
} from "./witness.fixture.ts";

/** In a URL: the port that everything on this machine listens at. */
const HERE = ":PORT";

/** Refused for their address alone: the port is open, and so is http. */
const ADDRESSES = [
  // Loopback, in the forms that WHATWG, inet_aton and browsers take.
  ...["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "127.1", "127.0.1", "127.0.0.1."],
  ...["2130706433", "017700000001", "0x7f000001", "0x7F.1", "0x7f.0.0.1", "0177.0.0.1", "0177.1"],
  ...["0x7f.0x0.0x0.0x1", "127.0x1", "0177.0x0.0.01", "00000177.0.0.1", "127.65537", "0x7f.65537"],
  ...["0", "0.0.0.0", "0x0", "00", "0.0", "0.1.2.3", "%31%32%37.0.0.1", "127%2e0%2e0%2e1"],
  ...["１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "１２７｡１", "⑫7.0.0.1", "𝟏𝟐𝟕.𝟎.𝟎.𝟏"],
  // Private, carrier-grade, link-local, and the metadata of clouds.
  ...["10.0.0.1", "10.255.255.255", "167772161", "0xa000001", "012.0.0.1", "10.1"],
  ...["172.16.0.1", "172.31.255.255", "0xac100001", "192.168.0.1", "192.168.255.255", "3232235521"],
  ...["100.64.0.1", "100.127.255.255", "100.100.100.200", "1681915905", "0x64.64.0.1"],
  ...["169.254.169.254", "169.254.0.1", "169.254.170.2", "169.254.20.10", "2852039166"],
  ...["0xa9fea9fe", "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662"],
  ...["168.63.129.16", "0xa83f8110", "2822734096", "192.0.0.192", "192.0.0.1", "192.0.0.170"],
  // Documentation, benchmarks, relays, multicast, reserved, broadcast.
  ...["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1"],
  ...["192.31.196.1", "192.52.193.1", "192.175.48.1", "224.0.0.1", "239.255.255.250"],
  ...["240.0.0.1", "255.255.255.255", "4294967295", "0xffffffff", "0xe0000001"],
  // IPv6: loopback, unspecified, mapped, compatible, translated, tunnelled.
  ...["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[::0.0.0.1]", "[::127.0.0.1]"],
  ...["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::FFFF:7F00:0001]"],
  ...["[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:8.8.8.8]"],
  ...["[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::8.8.8.8]"],
  ...[
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:fffe:7f:0:100:0]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
  ],
  ...[
    "[2002:808:808::1]",
    "[2001:0:7f00:1::]",
    "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
  ],
  ...["[fe80::1]", "[febf::1]", "[fec0::1]", "[fc00::1]", "[fd00::1]", "[fd00:ec2::254]"],
  ...["[fd20:ce::254]", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]"],
  ...["[2001:2::1]", "[2001:10::1]", "[2001:20::1]", "[2001:30::1]", "[2001:3::1]"],
  ...["[2620:4f:8000::1]", "[5f00::1]", "[4000::1]", "[1000::1]", "[::ffff:0:0]", "[1::]"],
];

/** Names of hosts that are nobody's on the internet: nobody is asked for their address. */
const NAMES = [
  ...["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.localhost.", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ"],
  ...[
    "localhost.localdomain",
    "ip6-localhost",
    "broker",
    "redis",
    "kubernetes",
    "kubernetes.default.svc",
  ],
  ...[
    "redis.prod.svc.cluster.local",
    "redis.prod.svc",
    "printer.local",
    "router.home.arpa",
    "nas.lan",
  ],
  ...["metadata.google.internal", "metadata", "wiki.corp", "1.0.0.127.in-addr.arpa", "a.onion"],
  ...[
    "intranet",
    "hooks.internal",
    "x.private",
    "ｌｏｃａｌｈｏｓｔ",
    "local",
    "a.invalid",
    "x.alt",
  ],
];

/** Names whose answers lead here or to other places that are nobody's business. */
const ANSWERS: Record<string, ZoneEntry> = {
  "loopback.hostile.test": ["127.0.0.1"],
  "other-loopback.hostile.test": ["127.99.0.1"],
  "loopback6.hostile.test": ["::1"],
  "both.hostile.test": ["127.0.0.1", "::1"],
  "unspecified.hostile.test": ["0.0.0.0"],
  "unspecified6.hostile.test": ["::"],
  "mapped.hostile.test": ["::ffff:127.0.0.1"],
  "nat64.hostile.test": ["64:ff9b::7f00:1"],
  "six-to-four.hostile.test": ["2002:7f00:1::"],
  "teredo.hostile.test": ["2001:0:7f00:1::"],
  "private.hostile.test": ["10.0.0.1"],
  "private-2.hostile.test": ["172.20.0.1"],
  "private-3.hostile.test": ["192.168.1.1"],
  "unique-local.hostile.test": ["fd00::1"],
  "link-local.hostile.test": ["fe80::1"],
  "metadata.hostile.test": ["169.254.169.254"],
  "agent.hostile.test": ["168.63.129.16"],
  "carrier.hostile.test": ["100.64.0.1"],
  "multicast.hostile.test": ["224.0.0.1"],
  "broadcast.hostile.test": ["255.255.255.255"],
  "documentation.hostile.test": ["203.0.113.7"],
  // One public address among them changes nothing, wherever it stands.
  "public-first.hostile.test": ["8.8.8.8", "127.0.0.1"],
  "public-last.hostile.test": ["127.0.0.1", "8.8.8.8"],
  "public-and-6.hostile.test": ["8.8.8.8", "::1"],
  "6-and-private.hostile.test": ["2606:4700::1111", "10.0.0.1"],
  "many.hostile.test": [...Array.from({ length: 24 }, (_, i) => `8.8.4.${i + 1}`), "127.0.0.1"],
  "cname.hostile.test": ["CNAME localhost", "127.0.0.1"],
  "cname-chain.hostile.test": ["CNAME a.public.test", "CNAME b.public.test", "127.0.0.1"],
  "cname-metadata.hostile.test": ["CNAME metadata.google.internal", "169.254.169.254"],
  "slow.hostile.test": async () => {
    await new Promise((done) => setTimeout(done, 300));
    return ["127.0.0.1"];
  },
  "one-type-fails.hostile.test": (_, type) => (type === "AAAA" ? "SERVFAIL" : ["127.0.0.1"]),
  "xn--bcher-kva.hostile.test": ["127.0.0.1"],
  "under_score.hostile.test": ["127.0.0.1"],
};

/** Whole URLs that are refused for something else, or for the same in disguise. */
const URLS: [string, OutboundCode][] = [
  ["http://user@127.0.0.1:PORT/", "user_info"],
  ["http://user:secret@loopback.hostile.test:PORT/", "user_info"],
  ["http://:secret@127.0.0.1:PORT/", "user_info"],
  ["http://example.com:80@127.0.0.1:PORT/", "user_info"],
  ["http://example.com%40127.0.0.1:PORT/", "bad_url"],
  ["http://127.0.0.1:PORT\\@example.com/", "blocked_address"],
  ["http://127.0.0.1:PORT#@example.com/", "blocked_address"],
  ["http://127.0.0.1:PORT?@example.com/", "blocked_address"],
  ["http:127.0.0.1:PORT", "blocked_address"],
  ["http:/127.0.0.1:PORT", "blocked_address"],
  ["http:////127.0.0.1:PORT", "blocked_address"],
  ["http:\\\\127.0.0.1:PORT", "blocked_address"],
  ["HTTP://127.0.0.1:PORT", "blocked_address"],
  ["//127.0.0.1:PORT", "bad_url"],
  ["127.0.0.1:PORT", "bad_url"],
  ["", "bad_url"],
  ["http://", "bad_url"],
  ["http://?", "bad_url"],
  [" http://127.0.0.1:PORT", "bad_url"],
  ["http://127.0.0.1:PORT/\r\nx-evil: 1", "bad_url"],
  ["http://127.0.0\t.1:PORT/", "bad_url"],
  ["http://exa\nmple.com:PORT/", "bad_url"],
  ["http://127.0.0.1\u0000.example.com:PORT/", "bad_url"],
  ["http://[::1%25lo]:PORT/", "bad_url"],
  ["http://[fe80::1%25eth0]:PORT/", "bad_url"],
  ["http://[fe80::1%eth0]:PORT/", "bad_url"],
  ["http://[::1]x:PORT/", "bad_url"],
  ["http://::1:PORT/", "bad_url"],
  ["http://[127.0.0.1]:PORT/", "bad_url"],
  ["http://127.0.0.256:PORT/", "bad_url"],
  ["http://127.0.0.1.5:PORT/", "bad_url"],
  ["http://4294967296:PORT/", "bad_url"],
  ["http://0x100000000:PORT/", "bad_url"],
  ["http://a..example.com:PORT/", "bad_url"],
  ["http://example.com..:PORT/", "bad_url"],
  ["http://.example.com:PORT/", "bad_url"],
  [`http://${"a".repeat(64)}.example.com:PORT/`, "bad_url"],
  [`http://${"a.".repeat(130)}com:PORT/`, "bad_url"],
  ["http://exa$mple.com:PORT/", "bad_url"],
  ["http://example.com:65536/", "bad_url"],
  ["http://example.com:-1/", "bad_url"],
  [`http://127.0.0.1:PORT/${"a".repeat(65_536)}`, "bad_url"],
  [`http://127.0.0.1:PORT/${"ü".repeat(4_000)}`, "bad_url"],
  ["http://8.8.8.8:22/", "blocked_port"],
  ["http://8.8.8.8:0/", "blocked_port"],
  ["https://8.8.8.8:80/", "blocked_port"],
  ["http://8.8.8.8:443/", "blocked_port"],
  ["https://example.com:5432/", "blocked_port"],
  ["https://example.com:6379/", "blocked_port"],
  ["file:///etc/passwd", "blocked_scheme"],
  ["file://127.0.0.1/etc/passwd", "blocked_scheme"],
  ["ftp://127.0.0.1:PORT/", "blocked_scheme"],
  ["gopher://127.0.0.1:PORT/_x", "blocked_scheme"],
  ["dict://127.0.0.1:PORT/d", "blocked_scheme"],
  ["ws://127.0.0.1:PORT/", "blocked_scheme"],
  ["data:text/plain,x", "blocked_scheme"],
  ["javascript:alert(1)", "blocked_scheme"],
  ["blob:http://127.0.0.1:PORT/x", "blocked_scheme"],
  ["unix:///var/run/docker.sock", "blocked_scheme"],
  ["http+unix://%2Fvar%2Frun%2Fdocker.sock/", "blocked_scheme"],
  ["redis://127.0.0.1:PORT/", "blocked_scheme"],
  ["http://nobody.hostile.test:PORT/", "dns_failed"],
  ["http://no-answer.hostile.test:PORT/", "dns_failed"],
  ["http://empty.hostile.test:PORT/", "dns_failed"],
  ["http://only-cname.hostile.test:PORT/", "dns_failed"],
];

let witness: Witness;
let dns: DnsServer;
let outbound: Outbound;
const sockets = countSockets();

beforeAll(async () => {
  witness = await listenAt([EVERYWHERE]);
  dns = await serveDns({
    ...ANSWERS,
    "no-answer.hostile.test": "SERVFAIL",
    "empty.hostile.test": [],
    "only-cname.hostile.test": ["CNAME other.hostile.test"],
  });
  outbound = createOutbound({ http: true, ports: [witness.port], dnsServers: [dns.address] });
});

afterAll(async () => {
  sockets.stop();
  await outbound.close();
  dns.close();
  await witness.close();
});

const codeOf = async (url: string) => {
  try {
    await outbound.request({ url: url.replaceAll("PORT", String(witness.port)) });
    return "answered";
  } catch (error) {
    return error instanceof OutboundError ? error.code : error;
  }
};

function nobodyHeard() {
  expect(witness.heard).toEqual([]);
  expect(sockets.made).toHaveLength(0);
}

describe("nobody hears of", () => {
  test("so many as these, each of them another", () => {
    const all = [...ADDRESSES, ...NAMES, ...Object.keys(ANSWERS), ...URLS.map(([url]) => url)];
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThanOrEqual(150);
  });

  test.each(ADDRESSES)("the address %s", async (host) => {
    expect(await codeOf(`http://${host}${HERE}/`)).toBe("blocked_address");
    expect(await codeOf(`https://${host}${HERE}/`)).toBe("blocked_address");
    nobodyHeard();
  });

  test.each(ownAddresses())("this machine's own %s", async (address) => {
    const host = address.includes(":") ? `[${address.replace("%", "%25")}]` : address;
    expect(await codeOf(`http://${host}${HERE}/`)).toMatch(/^(blocked_address|bad_url)$/);
    nobodyHeard();
  });

  test.each(NAMES)("the name %s, and its address is not asked for", async (name) => {
    const before = dns.asked.length;
    expect(await codeOf(`http://${name}${HERE}/`)).toBe("blocked_host");
    expect(dns.asked.length).toBe(before);
    nobodyHeard();
  });

  test.each(Object.keys(ANSWERS))("%s, by what the DNS says", async (name) => {
    expect(await codeOf(`http://${name}${HERE}/`)).toBe("blocked_address");
    expect(await codeOf(`https://${name}.${HERE}/`)).toBe("blocked_address");
    expect(dns.asked).toContain(`A ${name}`);
    nobodyHeard();
  });

  test.each(URLS)("%s", async (url, code) => {
    expect(await codeOf(url)).toBe(code);
    nobodyHeard();
  });
});

test("the witness does hear what is not guarded", async () => {
  const deaf: string[] = [];
  const bare = new Agent();
  const hosts = ["127.0.0.1", "127.99.0.1", "0.0.0.0"];
  for (const host of HAS_IPV6 ? [...hosts, "[::1]", "[::ffff:127.0.0.1]"] : hosts) {
    const before = witness.heard.length;
    const origin = `http://${host}:${witness.port}`;
    const { body } = await bare.request({ origin, path: "/", method: "GET" });
    await body.dump();
    if (witness.heard.length === before) deaf.push(host);
  }
  for (const host of ownAddresses()) {
    const before = witness.heard.length;
    const socket = connect(witness.port, host);
    await once(socket.resume(), "close");
    if (witness.heard.length === before) deaf.push(host);
  }
  await bare.close();
  expect(deaf).toEqual([]);
  expect(sockets.made.length).toBeGreaterThanOrEqual(hosts.length);
});
