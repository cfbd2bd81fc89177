/** What a definition says of files, what its contract then says, and what an engine without them does not have. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker, type WorkerDefinition } from "../engine/define-worker.ts";
import { bindFiles, file, InputFile } from "../engine/file-schema.ts";
import { inputSchema, outputSchema } from "../engine/published-schema.ts";
import { anySpelling } from "../engine/spellings.ts";
import { filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import { sweepFiles } from "./sweep.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const run = action({
  version: 1,
  input: z.object({}),
  output: z.unknown(),
  handle: (_, job) => job.files.head("x"),
});
const without = defineWorker({
  name: "without",
  concurrency: 1,
  timeoutMs: 2_000,
  maxAttempts: 1,
  actions: { run },
});

test.each([
  ["a word", { files: "yes" }, /files must be true, false or an object/],
  ["null", { files: null }, /files must be true, false or an object/],
  [
    "an unknown option",
    { files: { maxByte: 1 } },
    /files\.maxByte is no option, did you mean maxBytes/,
  ],
  ["no bytes", { files: { maxBytes: 0 } }, /files\.maxBytes must be a whole number from 1/],
  ["51 GiB", { files: { maxBytes: 51 * 1024 ** 3 } }, /files\.maxBytes must be/],
  [
    "a minute less a second",
    { files: { expiresS: 59 } },
    /files\.expiresS must be a whole number from 60/,
  ],
  ["two years", { files: { expiresS: 63_072_000 } }, /files\.expiresS must be/],
  ["no transactions", { files: true, transactions: 0 }, /files needs transactions/],
])("a definition with %s is refused", (_, more, message) => {
  const definition = { ...without, ...more } as unknown as WorkerDefinition;
  expect(() => defineWorker(definition)).toThrow(message);
});

describe("a field", () => {
  const reference = {
    type: "object",
    properties: {
      $file: { type: "string", minLength: 1, maxLength: 1_024 },
      bytes: { type: "integer", minimum: 0, maximum: 5 },
      sha256: { type: "string", pattern: "^[0-9a-f]{64}$" },
      contentType: { type: "string", description: "Media type of the file: text/csv." },
    },
    required: ["$file", "bytes"],
    description: "A file in the bucket, in place of what is too large for a message.",
  };
  const field = file({ maxBytes: 5, contentTypes: ["text/csv"] });

  test("is the same reference in the contract's inputs and outputs", () => {
    const schema = z.object({ table: field });
    for (const json of [inputSchema(schema, "published"), outputSchema(schema)])
      expect((json.properties as Record<string, unknown>).table).toMatchObject(reference);
  });

  test("is read in any spelling, and goes out as it came in", () => {
    const schema = anySpelling(z.object({ dataTable: field }));
    const sent = { $file: "engine/x/in/a", bytes: 5, contentType: "text/csv" };
    const parsed = schema.parse({ data_table: sent }) as { dataTable: InputFile };
    expect(parsed.dataTable).toBeInstanceOf(InputFile);
    expect(JSON.parse(JSON.stringify(parsed))).toEqual({ dataTable: sent });
    expect(() => parsed.dataTable.text()).toThrow(/within its job/);
  });

  test("is bound wherever it is, also in a cycle", () => {
    const one = new InputFile({ $file: "a", bytes: 1 }, undefined);
    const deep = { list: [new Map([["x", { set: new Set([one]) }]])] } as Record<string, unknown>;
    deep.self = deep;
    let bound = 0;
    bindFiles(deep, () => ({ text: async () => String(++bound) }) as never);
    expect(() => one.text()).not.toThrow();
  });
});

describe("an engine without files", () => {
  test("has no package of the SDK in its image", () => {
    const { dependencies } = JSON.parse(readFileSync(`${REPOSITORY}shared/package.json`, "utf8"));
    expect(Object.keys(dependencies).filter((name) => name.startsWith("@aws-sdk"))).toEqual([]);
  });

  test("loads nothing of the SDK", () => {
    const program = `import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ resolve(specifier, context, next) { const found = next(specifier, context); loaded.push(found.url); return found; } });
      await import("./shared/worker.ts");
      await import("./workers/activities/index.ts");
      console.log(loaded.length > 100, loaded.filter((url) => /aws-sdk|smithy/.test(url)).length);
      process.exit();`;
    const args = ["--input-type=module", "--eval", program];
    const said = execFileSync(process.execPath, args, { cwd: REPOSITORY, encoding: "utf8" });
    expect(said.trim()).toBe("true 0");
  });
});

describe("in a fleet", () => {
  let bucket: OwnBucket;
  let fleet: TestFleet;
  beforeAll(async () => {
    bucket = await openOwnBucket();
    fleet = await openTestFleet([filesEngine, without]);
  });
  afterAll(async () => {
    await fleet?.close();
    await bucket?.end();
  });

  test("an engine without files starts without S3, and is told by job.files what is missing", async () => {
    await fleet.start(without, { S3_ENDPOINT: "" });
    const id = await fleet.publish("without", "run", {});
    expect((await fleet.reply(id)).reply).toMatchObject({
      error: { message: "job.files: defineWorker must say files: true" },
    });
  });

  test("a job whose file was taken for an orphan does not succeed with it: it runs again", async () => {
    await fleet.start({ ...filesEngine, timeoutMs: 30_000 }, bucket.env);
    const own = `${fleet.config.ENGINE_PREFIX}/keeper/out/`;
    const id = await fleet.publish("keeper", "write", { bytes: 20 * 65_536, pauseMs: 100 });
    await fleet.until("its row", async () => {
      const { rows } = await fleet.pool.query("select from engine.files where job_id = $1", [id]);
      return rows.length > 0 || undefined;
    });
    // As if it had been frozen for longer than any job runs.
    const { store } = bucket;
    const swept = await sweepFiles({
      ...{ store, client: fleet.pool, engine: "keeper", prefix: fleet.config.ENGINE_PREFIX },
      graceMs: 0,
    });
    expect(swept.orphans).toBe(1);
    const { reply, headers } = await fleet.reply(id);
    expect(reply.status).toBe("succeeded");
    expect(headers["x-attempt"]).toBe(2);
    const { output } = reply as unknown as { output: { $file: string } };
    await fleet.until("its one file", async () => {
      const keys = await bucket.keys(own);
      return (keys.length === 1 && keys[0] === output.$file) || undefined;
    });
  });
});
