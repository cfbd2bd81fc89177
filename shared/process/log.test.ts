/** No secret and no payload gets into a log. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLog, redactUrls } from "./log.ts";

describe("redactUrls hides", () => {
  test.each([
    ["amqp://user:hunter2@host:5672/vhost", "amqp://***@host:5672/vhost"],
    ["amqp://user@host", "amqp://***@host"],
    ["amqps://user:p@ss@host/", "amqps://***@host/"],
    ["amqps://user:p/ss@host/", "amqps://***@host/"],
    ["amqps://user:p?s#s@host/", "amqps://***@host/"],
    ["postgres://user:a@b/c:d@host:5432/db?x=y", "postgres://***@host:5432/db?x=y"],
    ["postgres://user:12/34@host/db", "postgres://***@host/db"],
    ["redis://:hunter2@host:6379/0", "redis://***@host:6379/0"],
    ["postgres://u:p@h1:5432,h2:5432/db", "postgres://***@h1:5432,h2:5432/db"],
    ["amqp://a:b@c,amqp://d:e/f@g;redis://h:i@j", "amqp://***@c,amqp://***@g;redis://***@j"],
    ["from amqp://a:b@c to redis://:d@e/0, done", "from amqp://***@c to redis://***@e/0, done"],
    ['{"url":"amqp://a:b@c","mail":"d@e.f"}', '{"url":"amqp://***@c","mail":"d@e.f"}'],
    ["http://host/?next=amqp://a:b@c", "http://host/?next=amqp://***@c"],
    ["Invalid URL: amqp://user:hunter2", "Invalid URL: amqp://***"],
    [`amqp://user:it's"me@host/`, "amqp://***@host/"],
    ["host=h password=hunter2 user=u", "host=h password=*** user=u"],
    ["host=h password = 'hun\\'ter 2' user=u", "host=h password = *** user=u"],
    ["password='never closed user=u", "password=***"],
    ["password=back\\ slash user=u", "password=*** user=u"],
    ["PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"],
    ["Server=s;Pwd=hunter2", "Server=s;Pwd=***"],
    ["postgres://host/db?user=u&password=hunter2", "postgres://host/db?user=u&password=***"],
  ])("%s", (text, redacted) => {
    expect(redactUrls(text)).toBe(redacted);
  });
});

describe("redactUrls leaves", () => {
  test.each([
    "https://host/users/a@b.c",
    "https://host?mail=a@b.c",
    "http://[::1]:8080/users/a@b.c",
    "at run (file:///app/node_modules/@scope/package/index.js:10:5)",
    "connect to amqp://localhost:5672.",
    "(see http://localhost:8080)",
    "postgres://h1:5432,h2:5432/db",
    "http://[::1]:8080/",
    "mail a@b.c about it",
    "the password is missing",
    "a://",
  ])("%s", (text) => {
    expect(redactUrls(text)).toBe(text);
  });

  // Documented: in doubt more goes than the secret.
  test("no host behind which a port or other credentials stand before an @ in the path", () => {
    expect(redactUrls("http://host:8080/a@b.c")).toBe("http://***@b.c");
    expect(redactUrls("http://user:word@host/a@b.c")).toBe("http://***@b.c");
  });
});

test("no password without white space comes through, whatever it is made of", () => {
  const raw = fc.stringMatching(/^[!-~]{1,30}$/).map((text) => `<<${text}>>`);
  fc.assert(
    fc.property(raw, fc.constantFrom("", " and more", ', "x"'), (password, after) => {
      for (const text of [
        `no amqp://user:${password}@host/v${after}`,
        `password=${password}${after}`,
      ])
        expect(redactUrls(text)).not.toContain(password);
      expect(redactUrls(`amqp://user:${password}@host/v${after}`)).toMatch(/^amqp:\/\/\*\*\*/);
    }),
    { numRuns: 1_000 },
  );
});

test("a long text takes no time that grows with its square", () => {
  const startedAt = performance.now();
  for (const part of ["://", "a", "a-", "a@", ",a", "password=", "password ", "'"])
    redactUrls(part.repeat(200_000 / part.length));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("an error is logged without what it was about", () => {
  const lines: string[] = [];
  const log = createLog({}, "info", { write: (line) => void lines.push(line) });
  const detailed = Object.assign(new Error("amqp://user:hunter2@host"), {
    url: "redis://:hunter2@host",
    cause: new Error("password=hunter2"),
  });
  for (const make of [() => new URL("http://user:hunter2@:bad"), () => new URL("hunter2")]) {
    try {
      make();
    } catch (error) {
      log.error({ err: error }, "failed");
    }
  }
  log.error({ err: detailed }, "failed");
  expect(lines).toHaveLength(3);
  expect(lines.join("")).not.toContain("hunter2");
  expect(lines.join("")).toContain("ERR_INVALID_URL");
});

test("whatever was thrown can be logged", () => {
  const lines: string[] = [];
  const log = createLog({}, "info", { write: (line) => void lines.push(line) });
  class Sulky extends Error {
    override get message(): string {
      throw new Error("no");
    }
  }
  const opaque = new Proxy(new Error("no"), {
    getPrototypeOf() {
      throw new Error("no");
    },
  });
  for (const err of [null, undefined, "amqp://a:b@c", 5, {}, new Sulky(), opaque])
    log.error({ err }, "failed");
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(Array(7).fill("failed"));
  expect(lines.join("")).not.toContain("a:b");
});

test("a line is JSON with nothing in it that speaks to a terminal or breaks a line", () => {
  const lines: string[] = [];
  const log = createLog({}, "info", { write: (line) => void lines.push(line) });
  const evil = "\u009b2J\u007f\u202e\u2066\u200b\u2028\u2029\ufeff\u{e0041}\ud800 añ🙂";
  log.child({ jobId: evil }).error({ err: new Error(evil), [evil]: evil }, evil);
  expect(lines).toHaveLength(1);
  const [line = ""] = lines;
  expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(line)).toMatchObject({
    ...{ msg: evil, jobId: evil, [evil]: evil, err: { message: evil } },
  });
});

test("of an error only what names it is told, not what its library put on it", () => {
  const lines: string[] = [];
  const log = createLog({}, "info", { write: (line) => void lines.push(line) });
  const err = Object.assign(new Error("duplicate key value"), {
    ...{ code: "23505", table: "people", constraint: "people_pkey" },
    ...{ detail: "Key (mail)=(hunter2) already exists.", where: "hunter2" },
    ...{ config: { data: "hunter2" }, response: { body: { name: "hunter2" } } },
  });
  log.error({ err }, "failed");
  expect(lines.join("")).not.toContain("hunter2");
  expect(JSON.parse(lines[0] ?? "").err).toMatchObject({
    ...{ type: "Error", message: "duplicate key value", code: "23505", constraint: "people_pkey" },
  });
});
