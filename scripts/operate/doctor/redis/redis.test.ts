/** Each check of Redis, broken on a server of its own. */

import { engineUser } from "@tl-engine/shared/wire/names";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../../../../shared/services/ready.ts";
import {
  type OwnServers,
  openOwnServers,
  selfSigned,
} from "../../../../shared/testing/own-servers.ts";
import { proxyBefore } from "../../../../shared/testing/proxy.ts";
import { urlAs } from "../../../kubernetes/rights/apply.ts";
import { redisEngineRules } from "../../../kubernetes/rights/redis-rules.ts";
import { redisAcl } from "../../../kubernetes/rights/testing/users.ts";
import { checkExpiry } from "../certificate.ts";
import { examine, told } from "../testing/findings.ts";
import { redis } from "./part.ts";

const PASSWORD = "hunter2-and-more";
const DAY_MS = 86_400_000;
let servers: OwnServers;
let good: string;
let bad: string;
let tlsUrl: string;

beforeAll(async () => {
  servers = openOwnServers();
  const { cert, key } = selfSigned(servers.folder, "localhost");
  const [tlsPort = 0] = await freePorts(1);
  const tls = { "tls-port": String(tlsPort), "tls-cert-file": cert, "tls-key-file": key };
  const poor = { "maxmemory-policy": "allkeys-lru", maxmemory: "400kb", appendonly: "no" };
  const [one, other] = await Promise.all([
    servers.redis({ ...tls, "tls-ca-cert-file": cert, "tls-auth-clients": "no" }),
    servers.redis({ ...poor, maxclients: "20" }),
  ]);
  good = String(one.urls.REDIS_URL);
  bad = String(other.urls.REDIS_URL);
  tlsUrl = `rediss://localhost:${tlsPort}/0`;
});
afterAll(() => servers?.end());

const at = (url: string) => ({ env: { REDIS_URL: url } });

/** A user of the good server with these rules. */
async function userWith(name: string, rules: string[]): Promise<string> {
  await redisAcl(good, "SETUSER", name, ...rules, `>${PASSWORD}`);
  return urlAs(good, name, PASSWORD);
}

test("a good server: nothing fails", async () => {
  const results = await examine(redis, at(good));
  expect(results.filter(({ level }) => level === "failure")).toEqual([]);
  expect(told(results, "redis.reach")).toMatch(/^ok: Redis \d+\.\d+\.\d+, [\d.]+ ms$/);
  expect(told(results, "redis.eviction")).toBe("ok: noeviction");
  expect(told(results, "redis.persistence")).toBe("ok: append-only file");
  expect(told(results, "redis.clock")).toMatch(/^ok: /);
  expect(told(results, "redis.tls")).toBe("skipped: no TLS, on this machine");
});

test("one that evicts, is full, keeps nothing and lets few in", async () => {
  const results = await examine(redis, at(bad));
  expect(told(results, "redis.eviction")).toMatch(
    /^failure: it may evict; .*allkeys-lru.*; redis-cli -u "\$REDIS_URL" config set maxmemory-policy/,
  );
  expect(told(results, "redis.memory")).toMatch(
    /^(?:failure|warning): \d+ % of 0\.4 MiB; .*bigkeys$/,
  );
  expect(told(results, "redis.persistence")).toMatch(/^warning: no append-only file; .*appendonly/);
  expect(told(results, "redis.connections")).toMatch(
    /^failure: 20 allowed, \d+ at most; \d+ workers \(dev\) .*config set maxclients \d+$/,
  );
});

describe("rights", () => {
  const prefix = "engine";
  const user = engineUser(prefix, "activities");
  const rules = redisEngineRules(prefix, "activities", false);

  test("the default user may too much", async () => {
    const results = await examine(redis, at(good));
    expect(told(results, "redis.rights")).toMatch(
      /^warning: default may too much: keys of others, DBSIZE, CONFIG, ACL; .*; make rights NAME=/,
    );
  });

  test("what make rights prints is just enough", async () => {
    const results = await examine(redis, at(await userWith(user, rules)));
    expect(told(results, "redis.rights")).toBe(`ok: ${user} may what it needs`);
  });

  test("one command less is too little", async () => {
    const less = rules.filter((rule) => rule !== "+unlink");
    const results = await examine(redis, at(await userWith(user, less)));
    expect(told(results, "redis.rights")).toMatch(
      /^failure: engine\.activities may too little; .*unlink.*; make rights NAME=activities$/i,
    );
  });

  test("keys of others are too much", async () => {
    const results = await examine(redis, at(await userWith(user, [...rules, "~*", "+get"])));
    expect(told(results, "redis.rights")).toMatch(/^warning: .* may too much: keys of others; /);
  });
});

test("a clock that goes wrong, warned of first", async () => {
  const behind = (ms: number) => examine(redis, { ...at(good), now: () => Date.now() - ms });
  expect(told(await behind(5_000), "redis.clock")).toMatch(/^warning: [45]\.\d s ahead of ours; /);
  expect(told(await behind(-60_000), "redis.clock")).toMatch(
    /^failure: (?:60|59)\.\d s behind ours; .*; timedatectl status$/,
  );
});

test("a certificate that ends soon, and one that has", async () => {
  const server = { variable: "REDIS_URL", url: tlsUrl, defaultPort: 6379 };
  expect(await checkExpiry(server, Date.now)).toMatchObject({
    level: "warning",
    found: expect.stringMatching(/^expires in [01] days$/),
    next: expect.stringMatching(/^openssl s_client -connect localhost:\d+ /),
  });
  expect(await checkExpiry(server, () => Date.now() + 3 * DAY_MS)).toMatchObject({
    level: "failure",
    found: expect.stringMatching(/^expired on /),
  });
  expect(await checkExpiry(server, () => Date.now() - 100 * DAY_MS)).toMatchObject({ level: "ok" });
});

describe("the way there", () => {
  test("nobody listens: the other checks are not looked at", async () => {
    const results = await examine(redis, at("redis://127.0.0.1:1"));
    expect(told(results, "redis.reach")).toMatch(
      /^failure: not reached; .*nc -vz 127\.0\.0\.1 1\); redis-cli/,
    );
    expect(told(results, "redis.eviction")).toBe("skipped: not looked at: see redis.reach");
  });

  test("a wrong password is not said back", async () => {
    const results = await examine(redis, at(urlAs(good, "nobody", PASSWORD)));
    expect(told(results, "redis.reach")).toMatch(/refuses the login: check user and password/);
    expect(JSON.stringify(results)).not.toContain(PASSWORD);
  });

  test("one that is far is warned of; one that hangs is told, and not waited for", async () => {
    const proxy = await proxyBefore(good);
    try {
      const far = proxy.apply({ kind: "latency", delayMs: 120 });
      const results = await examine(redis, at(proxy.url));
      expect(told(results, "redis.reach")).toMatch(/^warning: Redis .*, [23]\d\d ms; .*every job/);
      far.remove();
      proxy.apply({ kind: "blackHole" });
      const startedAt = performance.now();
      const hung = await examine(redis, { ...at(proxy.url), limitMs: 700 });
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      expect(told(hung, "redis.reach")).toMatch(/^failure: no answer within 700 ms; /);
    } finally {
      await proxy.close();
    }
  });
});
