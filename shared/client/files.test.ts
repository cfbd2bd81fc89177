/** A value that is too large for a message, from a caller to an engine and back: uploaded, referred to, downloaded. */
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import type { FileReference } from "../wire/files.ts";
import {
  type ConnectOptions,
  connect,
  contractOf,
  FileTransferFailed,
  InvalidArgument,
} from "./index.ts";

const CONTRACT = contractOf(filesEngine);
const connected = (options: ConnectOptions) => connect({ ...options, contract: CONTRACT });

let bucket: OwnBucket;
let fleet: TestFleet;
let client: Awaited<ReturnType<typeof connected>>;
beforeAll(async () => {
  bucket = await openOwnBucket();
  fleet = await openTestFleet([filesEngine]);
  await fleet.start(filesEngine, bucket.env);
  client = await connected({
    amqpUrl: fleet.config.AMQP_URL,
    prefix: fleet.config.ENGINE_PREFIX,
    s3: {
      endpoint: String(bucket.env.S3_ENDPOINT),
      region: String(bucket.env.S3_REGION),
      bucket: String(bucket.env.S3_BUCKET),
      accessKeyId: String(bucket.env.S3_ACCESS_KEY_ID),
      secretAccessKey: String(bucket.env.S3_SECRET_ACCESS_KEY),
    },
  });
});
afterAll(async () => {
  await client?.close();
  await fleet?.close();
  await bucket?.end();
});

test("an input and an output of 10 MB, ten times what a message may have", async () => {
  async function* rows() {
    for (let i = 0; i < 10; i++) yield "a,b;".repeat(262_144);
  }
  const table = await client.files.upload("keeper", rows(), { contentType: "text/csv" });
  expect(table).toMatchObject({ bytes: 10_485_760, contentType: "text/csv" });
  expect(table.$file).toMatch(
    new RegExp(`^${fleet.config.ENGINE_PREFIX}/keeper/in/[\\w-]{24}/input$`),
  );
  const more = await client.files.upload("keeper", "fin", { name: "fin ñ.csv" });
  const { report, bytes } = await client.call("keeper", "convert", { table, more: [more] });
  expect(bytes).toBe(10_485_763);
  expect(report).toMatchObject({ bytes: 10_485_763, contentType: "text/csv" });
  expect(await text(await client.files.download(report))).toBe(`${"A,B;".repeat(2_621_440)}FIN`);
}, 60_000);

test.each([
  [
    "a key of another engine",
    (it: FileReference) => ({ ...it, $file: it.$file.replace("/keeper/", "/other/") }),
    "rejected",
    "foreign_key",
  ],
  [
    "a way out of the prefix",
    (it: FileReference) => ({ ...it, $file: `${it.$file}/../x` }),
    "invalid_input",
    "table.$file",
  ],
  [
    "another type",
    (it: FileReference) => ({ ...it, contentType: "text/html" }),
    "invalid_input",
    "table.contentType",
  ],
  [
    "a header in the type",
    (it: FileReference) => ({ ...it, contentType: "text/csv\r\nx: y" }),
    "invalid_input",
    "table.contentType",
  ],
  [
    "more bytes than the field takes",
    (it: FileReference) => ({ ...it, bytes: 20_971_521 }),
    "invalid_input",
    "table.bytes",
  ],
  [
    "less than no bytes",
    (it: FileReference) => ({ ...it, bytes: -1 }),
    "invalid_input",
    "table.bytes",
  ],
  [
    "a checksum that is none",
    (it: FileReference) => ({ ...it, sha256: "x" }),
    "invalid_input",
    "table.sha256",
  ],
  [
    "another content",
    (it: FileReference) => ({ ...it, sha256: "0".repeat(64) }),
    "rejected",
    "checksum",
  ],
  [
    "fewer bytes than there are",
    (it: FileReference) => ({ ...it, bytes: 1 }),
    "rejected",
    "says 1",
  ],
  [
    "a file that is not there",
    (it: FileReference) => ({ ...it, $file: `${it.$file}x` }),
    "rejected",
    "there is no file",
  ],
  [
    "a text in its place",
    () => "engine/keeper/in/x" as unknown as FileReference,
    "invalid_input",
    "table",
  ],
])("a reference with %s", async (_, lie, code, told) => {
  const table = await client.files.upload("keeper", "x,y", { contentType: "text/csv" });
  const error = await client.call("keeper", "convert", { table: lie(table) }).catch((it) => it);
  expect(error).toMatchObject({ code });
  expect(JSON.stringify([error.message, error.details])).toContain(told);
});

test("what can't be uploaded or downloaded is told before anything is asked", async () => {
  const upload = (engine: string, options: object) => client.files.upload(engine, "x", options);
  await expect(upload("../other", {})).rejects.toBeInstanceOf(InvalidArgument);
  await expect(upload("keeper", { name: "../x" })).rejects.toBeInstanceOf(InvalidArgument);
  await expect(upload("keeper", { name: "a\0" })).rejects.toBeInstanceOf(InvalidArgument);
  await expect(upload("keeper", { contentType: "x" })).rejects.toBeInstanceOf(InvalidArgument);
  await expect(client.files.download({ $file: "other/x", bytes: 1 })).rejects.toBeInstanceOf(
    InvalidArgument,
  );
});

test("a download that is not what the reference says fails at its end", async () => {
  const file = await client.files.upload("keeper", "abc");
  const read = async (over: object) => text(await client.files.download({ ...file, ...over }));
  expect(await read({})).toBe("abc");
  await expect(read({ bytes: 4 })).rejects.toBeInstanceOf(FileTransferFailed);
  await expect(read({ sha256: "0".repeat(64) })).rejects.toBeInstanceOf(FileTransferFailed);
  await expect(read({ $file: `${file.$file}x` })).rejects.toThrow(/it has expired/);
});

test("an upload that is stopped leaves nothing", async () => {
  const inputs = `${fleet.config.ENGINE_PREFIX}/keeper/in/`;
  const before = await bucket.keys(inputs);
  const controller = new AbortController();
  async function* endless() {
    for (let i = 0; ; i++) {
      if (i === 40) controller.abort(new Error("stopped"));
      yield Buffer.alloc(1_048_576);
    }
  }
  await expect(
    client.files.upload("keeper", endless(), { signal: controller.signal }),
  ).rejects.toThrow("stopped");
  expect(await bucket.keys(inputs)).toEqual(before);
});
