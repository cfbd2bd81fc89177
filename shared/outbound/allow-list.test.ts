/** Exceptions are read as written, or refused with the entry; each opens what it says and nothing beside it. */
import { expect, test } from "vitest";
import { readAllowList } from "./allow-list.ts";
import { type Destination, refuseAddress } from "./check-address.ts";
import { createOutbound } from "./index.ts";

test.each([
  ["hooks.example", /write host:port/],
  ["10.0.0.1", /write host:port/],
  ["10.0.0.1:", /write host:port/],
  ["10.0.0.1:0", /ports go to/],
  ["10.0.0.1:65536", /ports go to/],
  ["fd00::1:443", /write host:port/],
  ["http://hooks.example:80", /write host:port/],
  ["10.0.0.0/x:443", /a prefix is a number/],
  ["10.0.0.0/33:443", /a prefix is a number/],
  ["10.0.0.0/:443", /a prefix is a number/],
  ["0.0.0.0/0:443", /a prefix is 8 or longer/],
  ["[::/0]:443", /a prefix is 16 or longer/],
  ["10.0.0.0.0:443", /no host's name/],
  ["*.example.com:443", /no host's name/],
  ["a b:443", /no host's name/],
])("the entry %s is refused", (entry, message) => {
  expect(() => readAllowList([entry])).toThrow(RangeError);
  expect(() => createOutbound({ allow: ["10.0.0.1:443", entry] })).toThrow(message);
});

const refusal = (allow: string[], address: string, destination: Partial<Destination> = {}) =>
  refuseAddress(
    address,
    { scheme: "https:", host: address, port: 443, ...destination },
    {
      openPorts: { "https:": new Set([443]), "http:": new Set() },
      exceptions: readAllowList(allow),
    },
  );

test.each<[string[], string, Partial<Destination>, string | undefined]>([
  [[], "8.8.8.8", {}, undefined],
  [[], "2606:4700::1111", {}, undefined],
  [[], "8.8.8.8", { port: 8443 }, "blocked_port"],
  [[], "8.8.8.8", { scheme: "http:", port: 80 }, "blocked_port"],
  [[], "10.0.0.1", {}, "blocked_address"],
  [["10.0.0.1:443"], "10.0.0.1", {}, undefined],
  [["10.0.0.1:443"], "10.0.0.2", {}, "blocked_address"],
  [["10.0.0.1:443"], "10.0.0.1", { port: 444 }, "blocked_address"],
  [["10.0.0.0/16:*"], "10.0.255.255", { port: 9 }, undefined],
  [["10.0.0.0/16:*"], "10.1.0.0", {}, "blocked_address"],
  [["10.0.0.0/16:*"], "::ffff:10.0.0.1", {}, "blocked_address"],
  [["[fd00::/64]:443"], "fd00::5", {}, undefined],
  [["[fd00::/64]:443"], "fd00:0:0:1::5", {}, "blocked_address"],
  [["[fe80::/64]:443"], "fe80::1%eth0", {}, "blocked_address"],
  [["8.8.8.8:8443"], "8.8.8.8", { port: 8443 }, undefined],
  [["hooks.test:8443"], "10.0.0.1", { host: "hooks.test", port: 8443 }, undefined],
  [["HOOKS.test:8443"], "fd00::1", { host: "hooks.test", port: 8443 }, undefined],
  [["hooks.test:8443"], "8.8.8.8", { host: "hooks.test", port: 8443 }, undefined],
  [["hooks.test:8443"], "10.0.0.1", { host: "hooks.test" }, "blocked_address"],
  [["hooks.test:8443"], "10.0.0.1", { host: "other.test", port: 8443 }, "blocked_address"],
  [["hooks.test:8443"], "10.0.0.1", { host: "a.hooks.test", port: 8443 }, "blocked_address"],
  [["hooks.test:*"], "127.0.0.1", { host: "hooks.test" }, "blocked_address"],
  [["hooks.test:*"], "169.254.169.254", { host: "hooks.test" }, "blocked_address"],
  [["hooks.test:*"], "::1", { host: "hooks.test" }, "blocked_address"],
  [[], "no address", {}, "blocked_address"],
  [[], "", {}, "blocked_address"],
])("with %j, %s as %j: %s", (allow, address, destination, code) => {
  expect(refusal(allow, address, destination)).toBe(code);
});

test.each([
  [{ ports: [0] }],
  [{ ports: [65_536] }],
  [{ ports: [1.5] }],
  [{ totalTimeoutMs: 0 }],
  [{ maxRawBytes: Number.NaN }],
  [{ maxRedirects: -1 }],
  [{ headersTimeoutMs: 2 ** 31 }],
])("the options %o make no sense", (options) => {
  expect(() => createOutbound(options)).toThrow(RangeError);
});
