/** The environment: a bad one is refused whole. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { BadEnvironment, Environment, readConfig, readVariables } from "./config.ts";
import { FROM_FILES } from "./secret-files.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

const GOOD = {
  AMQP_URL: "amqp://user:secret@127.0.0.1/%2Fengine",
  DATABASE_URL: "postgres://user:secret@127.0.0.1/enginedb",
  REDIS_URL: "redis://:secret@127.0.0.1/0",
};

describe("readConfig", () => {
  test("takes an empty variable for one that is not set", () => {
    expect(readConfig({ ...GOOD, LEASE_MS: "", HEALTH_PORT: "0" })).toMatchObject({
      LEASE_MS: 10_000,
      HEALTH_PORT: 0,
    });
  });

  test("reads an engine's own variables beside all others, and tells of both at once", () => {
    const own = z.object({ MINE_MONTHS: z.coerce.number().int().default(24) });
    expect(readConfig(GOOD, own)).toMatchObject({ own: { MINE_MONTHS: 24 }, LEASE_MS: 10_000 });
    expect(readConfig({ ...GOOD, MINE_MONTHS: "3" }, own).own).toEqual({ MINE_MONTHS: 3 });
    expect(readConfig({ ...GOOD, MINE_MONTHS: "3" }).own).toEqual({});
    const bad = () => readConfig({ ...GOOD, MINE_MONTHS: "hunter2", LEASE_MS: "hunter2" }, own);
    expect(bad).toThrow(
      /\n {2}LEASE_MS: .*\n {2}MINE_MONTHS: |\n {2}MINE_MONTHS: .*\n {2}LEASE_MS: /,
    );
  });

  test("holds an engine's variables to what one demands of another", () => {
    const own = z
      .object({ MINE_URL: z.string().optional(), MINE_KEY: z.string().optional() })
      .refine(({ MINE_URL, MINE_KEY }) => !MINE_URL || MINE_KEY, {
        error: "is needed beside MINE_URL",
        path: ["MINE_KEY"],
      });
    expect(readConfig({ ...GOOD, MINE_URL: "u", MINE_KEY: "k" }, own).own).toEqual({
      MINE_URL: "u",
      MINE_KEY: "k",
    });
    expect(() => readConfig({ ...GOOD, MINE_URL: "u" }, own)).toThrow(
      /\n {2}MINE_KEY: is needed beside MINE_URL$/,
    );
  });

  test("names every bad variable at once, and never a value", () => {
    const bad = {
      AMQP_URL: "http://user:hunter2@host",
      DATABASE_URL: "hunter2",
      REDIS_URL: undefined,
      ENGINE_PREFIX: "Hunter2",
      LEASE_MS: "hunter2",
      RETENTION_DAYS: "1",
      DATABASE_PREPARED: "hunter2",
      LOG_LEVEL: "hunter2",
      RABBITMQ_MANAGEMENT_URL: "amqp://hunter2",
      HEALTH_PORT: "65536",
    };
    let thrown: unknown;
    try {
      readConfig(bad);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(BadEnvironment);
    const { message } = thrown as BadEnvironment;
    for (const name of Object.keys(bad)) expect(message).toContain(`\n  ${name}: `);
    expect(message).toContain("REDIS_URL: is not set");
    expect(message.toLowerCase()).not.toContain("hunter2");
  });
});

test.each(["=x.replies", "a b=x.replies", "plane=", "plane=a=b", "*.replies,plane="])(
  "REPLY_TO_ALLOW %j names no publisher, or no queue",
  (list) => {
    const urls = { AMQP_URL: "amqp://h", DATABASE_URL: "postgres://h/d", REDIS_URL: "redis://h" };
    expect(() => readConfig({ ...urls, REPLY_TO_ALLOW: list })).toThrow(/publisher=pattern/);
    expect(readConfig({ ...urls, REPLY_TO_ALLOW: "*.replies, plane=x.*" })).toBeDefined();
  },
);

describe("a file in place of a variable", () => {
  const fileWith = (content: string) => {
    const folder = mkdtempSync(join(tmpdir(), "tl-engine-secret-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "url");
    writeFileSync(path, content);
    return path;
  };
  const messageOf = (env: Record<string, string>) => {
    try {
      readConfig(env);
    } catch (error) {
      expect(error).toBeInstanceOf(BadEnvironment);
      return (error as Error).message;
    }
    return "";
  };

  test.each(FROM_FILES)("%s is read from it, without the last newline", (name) => {
    const value =
      { ...GOOD, RABBITMQ_MANAGEMENT_URL: "http://a:b@127.0.0.1" }[name as string] ?? "a-secret";
    const env = { ...GOOD, [name]: "", [`${name}_FILE`]: fileWith(`${value}\n`) };
    expect(readConfig(env)[name]).toBe(value);
  });

  test("both at once are refused, even where they are alike", () => {
    const message = messageOf({ ...GOOD, AMQP_URL_FILE: fileWith(GOOD.AMQP_URL) });
    expect(message).toContain("\n  AMQP_URL: is given beside AMQP_URL_FILE");
    expect(message).not.toContain("secret");
  });

  test.each([
    ["one that is not there", () => "/hunter2/none", /AMQP_URL_FILE: .*can't be read \(ENOENT\)/],
    ["a folder", () => tmpdir(), /AMQP_URL_FILE: .*can't be read \(EISDIR\)/],
    ["the URL itself", () => "amqp://a:hunter2@b", /AMQP_URL_FILE: .*can't be read/],
    ["an empty one", () => fileWith("\n"), /AMQP_URL_FILE: names an empty file/],
    ["one with a bad URL", () => fileWith("http://hunter2"), /AMQP_URL: must be a URL/],
  ])("%s is told, and its content never", (_, path, expected) => {
    const message = messageOf({ ...GOOD, AMQP_URL: "", AMQP_URL_FILE: path() });
    expect(message.match(/^ {2}\w+: /gm)).toHaveLength(1);
    expect(message).toMatch(expected);
    expect(message).not.toContain("hunter2");
  });

  test("a tool that does not read the variable does not read its file", () => {
    const env = { ...GOOD, REDIS_URL_FILE: "/none" };
    expect(readVariables(Environment.pick({ AMQP_URL: true }), env)).toEqual({
      AMQP_URL: GOOD.AMQP_URL,
    });
  });
});

test("a worker with a bad environment exits with 2 and one message, before anything else", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["shared/main.ts", "workers/analytics/index.ts"],
    {
      cwd: REPOSITORY,
      encoding: "utf8",
      env: {
        ...{ AMQP_URL: "https://user:hunter2@host", LOG_LEVEL: "loud" },
        ANALYTICS_RETENTION_MONTHS: "hunter2",
      },
    },
  );
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  const named = [...stderr.matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
  const own = "ANALYTICS_RETENTION_MONTHS";
  expect(named.sort()).toEqual(["AMQP_URL", own, "DATABASE_URL", "LOG_LEVEL", "REDIS_URL"]);
  expect(stderr).not.toContain("hunter2");
});
