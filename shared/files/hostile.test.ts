/** Keys, references, options and types as nobody should give them: refused before anything is asked of S3, or told of the file. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import type { FileReference } from "../wire/files.ts";

let bucket: OwnBucket;
let fleet: TestFleet;
let good: FileReference;
beforeAll(async () => {
  bucket = await openOwnBucket();
  fleet = await openTestFleet([filesEngine]);
  await fleet.start({ ...filesEngine, maxAttempts: 1 }, bucket.env);
  const reply = await run("write", { bytes: 100 });
  good = (reply as unknown as { output: FileReference }).output;
});
afterAll(async () => {
  await fleet?.close();
  await bucket?.end();
});

async function run(action: string, input: unknown) {
  return (await fleet.reply(await fleet.publish("keeper", action, input))).reply;
}

describe("names of files to write", () => {
  test.each([
    ["a folder above", "../x", /".."/],
    ["a folder above, within", "a/../../x", /".."/],
    ["this folder", "./x", /"."/],
    ["an empty part", "a//x", /empty part/],
    ["a leading slash", "/x", /empty part/],
    ["a trailing slash", "x/", /empty part/],
    ["NUL", "a\0b", /control character/],
    ["a line break", "a\r\nx-amz-acl: public-read", /control character/],
    ["DEL", "a\u007f", /control character/],
    ["a C1 control", "a\u0085", /control character/],
    ["a line separator", "a\u2028", /control character/],
    ["half of a character", "a\ud800", /half of a character/],
    ["a backslash", "..\\x", /backslash/],
    ["2,000 characters", "x".repeat(2_000), /longer than 1024 bytes/],
    ["characters of many bytes", "ñ".repeat(500), /longer than 1024 bytes/],
    ["nothing", "", /must be a text/],
  ])("%s", async (_, name, message) => {
    const reply = await run("write", { name });
    expect(reply).toMatchObject({ error: { message: expect.stringMatching(message) } });
    const link = await run("link-to-write", { name, bytes: 1, contentType: "text/plain" });
    expect(link).toMatchObject({ error: { message: expect.stringMatching(message) } });
  });

  test.each(["ñandú 日本.csv", "a/b/c", "..x", "a b+c&d=e?f#g%2e", "x".repeat(200)])(
    "%s is fine",
    async (name) => {
      const reply = await run("write", { name });
      expect(reply).toMatchObject({ status: "succeeded" });
      const { output: file } = reply as unknown as { output: FileReference };
      expect(file.$file.endsWith(`/${name}`)).toBe(true);
      expect(await run("read", { file })).toMatchObject({ output: 10 });
    },
  );
});

describe("options of a write", () => {
  test.each([
    ["no time", { expiresS: 0 }, /expiresS must be/],
    ["a time in the past", { expiresS: -1 }, /expiresS must be/],
    ["a hundred years", { expiresS: 3_153_600_000 }, /expiresS must be/],
    ["half a second", { expiresS: 60.5 }, /expiresS must be/],
    ["more than the definition allows", { maxBytes: 64 * 1024 * 1024 + 1 }, /maxBytes must be/],
    ["no bytes", { maxBytes: 0 }, /maxBytes must be/],
    ["a header in the type", { contentType: "text/plain\r\nx-amz-acl: public-read" }, /media type/],
    ["no type", { contentType: "" }, /media type/],
    ["two types", { contentType: "text/plain, text/html" }, /media type/],
    ["a type of 10,000 characters", { contentType: `text/${"x".repeat(10_000)}` }, /media type/],
    ["a type that is not ASCII", { contentType: "text/ñ" }, /media type/],
    ["more bytes than said", { maxBytes: 9, bytes: 10 }, /more than 9 bytes/],
    ["many more", { maxBytes: 8_500_000, bytes: 20_000_000 }, /more than 8500000 bytes/],
  ])("%s", async (_, options, message) => {
    const reply = await run("write", options);
    expect(reply).toMatchObject({ error: { message: expect.stringMatching(message) } });
    expect(await bucket.uploads(`${fleet.config.ENGINE_PREFIX}/`)).toEqual([]);
  });
});

describe("references", () => {
  const lie = (over: Record<string, unknown>) => ({ ...good, ...over });
  test.each([
    [
      "a key of another engine",
      () => lie({ $file: good.$file.replace("/keeper/", "/other/") }),
      /none of this engine's/,
    ],
    [
      "a name that begins like ours",
      () => lie({ $file: good.$file.replace("/keeper/", "/keeper-two/") }),
      /none of this engine's/,
    ],
    [
      "a way out of the prefix",
      () => lie({ $file: good.$file.replace("/out/", "/../other/out/") }),
      /".."/,
    ],
    ["another fleet's", () => lie({ $file: `engine/${good.$file}` }), /none of this engine's/],
    ["no key", () => ({ bytes: 1 }), /must be a text/],
    ["null", () => null, /must be a text/],
    ["a list", () => [good.$file], /must be a text/],
    ["a number", () => 7, /must be a text/],
    ["an object as key", () => lie({ $file: { toString: "x" } }), /must be a text/],
    ["NUL in the key", () => lie({ $file: `${good.$file}\0` }), /control character/],
    [
      "a key of 1,025 bytes",
      () => lie({ $file: good.$file.padEnd(1_025, "x") }),
      /longer than 1024/,
    ],
    ["a file that is not there", () => lie({ $file: `${good.$file}x` }), /there is no file/],
    [
      "fewer bytes than there are",
      () => lie({ bytes: 99 }),
      /has 100 bytes, and its reference says 99/,
    ],
    ["more bytes than there are", () => lie({ bytes: 101 }), /reference says 101/],
    ["bytes past the limit", () => lie({ bytes: 1e15 }), /at most 67108864 are read/],
    ["another checksum", () => lie({ sha256: "0".repeat(64) }), /not what its reference says/],
  ])("%s", async (_, file, message) => {
    expect(await run("read", { file: file() })).toMatchObject({
      error: { code: "rejected", message: expect.stringMatching(message) },
    });
  });

  test.each([
    ["text of more than the limit", { as: "text", maxBytes: 99 }, /at most 99 are read/],
    ["JSON that is none", { as: "json" }, /not JSON/],
  ])("%s", async (_, how, message) => {
    expect(await run("read", { file: good, ...how })).toMatchObject({
      error: { code: "rejected", message: expect.stringMatching(message) },
    });
  });

  test.each(["head", "delete", "link"])("%s of another engine's is refused too", async (as) => {
    const file = good.$file.replace("/keeper/", "/other/");
    expect(await run("read", { file, as })).toMatchObject({ error: { code: "rejected" } });
  });
});

describe("links", () => {
  test.each([
    ["of ten years", { expiresS: 315_360_000 }],
    ["that have expired", { expiresS: 0 }],
    ["of less than no time", { expiresS: -5 }],
    ["of one and a half seconds", { expiresS: 1.5 }],
  ])("%s", async (_, options) => {
    const refused = { error: { message: expect.stringMatching(/expiresS must be/) } };
    expect(await run("read", { file: good, as: "link", ...options })).toMatchObject(refused);
    const link = { name: "x", bytes: 1, contentType: "text/plain", ...options };
    expect(await run("link-to-write", link)).toMatchObject(refused);
  });

  test.each([
    ["for -1 bytes", { bytes: -1 }, /bytes must be/],
    ["for a petabyte", { bytes: 1e15 }, /bytes must be/],
    ["for a type with a header", { contentType: "a/b\nx: y" }, /media type/],
  ])("%s", async (_, options, message) => {
    const link = { name: "x", bytes: 1, contentType: "text/plain", ...options };
    expect(await run("link-to-write", link)).toMatchObject({
      error: { message: expect.stringMatching(message) },
    });
  });

  test("for a download name of half a character", async () => {
    expect(await run("read", { file: good, as: "link", downloadAs: "\ud800" })).toMatchObject({
      error: { message: expect.stringMatching(/downloadAs/) },
    });
  });
});
