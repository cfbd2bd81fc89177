/** Files of jobs on a real S3 server: whose they are, what is left of runs that fail, links, limits. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { content, filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import type { FileReference } from "../wire/files.ts";
import { sweepFiles } from "./sweep.ts";

let bucket: OwnBucket;
let fleet: TestFleet;
beforeAll(async () => {
  bucket = await openOwnBucket();
  fleet = await openTestFleet([filesEngine]);
  await fleet.start(filesEngine, bucket.env);
});
afterAll(async () => {
  await fleet?.close();
  await bucket?.end();
});

const prefix = () => `${fleet.config.ENGINE_PREFIX}/keeper/`;

async function run(action: string, input: unknown) {
  const id = await fleet.publish("keeper", action, input);
  const { reply } = await fleet.reply(id);
  return { id, reply };
}

async function succeed<Output = FileReference>(action: string, input: unknown): Promise<Output> {
  const { reply } = await run(action, input);
  expect(reply).toMatchObject({ status: "succeeded" });
  return (reply as { output: Output }).output;
}

const rowsOf = async (jobId: string) => {
  const { rows } = await fleet.pool.query(
    "select key, state, extract(epoch from expires_at - now())::int as left_s from engine.files where job_id = $1",
    [jobId],
  );
  return rows as { key: string; state: string; left_s: number }[];
};

async function hashOf(bytes: number) {
  const hash = createHash("sha256");
  for await (const piece of content(bytes)) hash.update(piece);
  return hash.digest("hex");
}

test.each([0, 10, 8 * 1024 * 1024, 20 * 1024 * 1024 + 1])(
  "%d bytes come back as they went in",
  async (bytes) => {
    const { id, reply } = await run("write", { bytes, contentType: "text/csv", expiresS: 600 });
    const { output: file } = reply as unknown as { output: FileReference };
    expect(file).toEqual({
      $file: expect.stringMatching(new RegExp(`^${prefix()}out/${id}/[\\w-]+-1/report\\.csv$`)),
      bytes,
      sha256: await hashOf(bytes),
      contentType: "text/csv",
    });
    expect(await succeed("read", { file })).toBe(bytes);
    expect(await succeed("read", { file, as: "head" })).toEqual({ bytes, contentType: "text/csv" });
    const [row, ...others] = await rowsOf(id);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ key: file.$file, state: "kept" });
    expect(row?.left_s).toBeGreaterThan(500);
    expect(row?.left_s).toBeLessThanOrEqual(600);
    expect(await bucket.uploads(prefix())).toEqual([]);
  },
);

test.each(["throw", "reject", "hang"])("a run that ends with %s leaves nothing", async (ending) => {
  const { id, reply } = await run("write", { bytes: 9 * 1024 * 1024, ending });
  expect(reply.status).toBe("failed");
  await fleet.until("nothing left", async () => (await rowsOf(id)).length === 0 || undefined);
  expect(await bucket.keys(`${prefix()}out/${id}/`)).toEqual([]);
});

test("a timeout in the middle of an upload aborts it", async () => {
  const { id, reply } = await run("write", { bytes: 30 * 1024 * 1024, pauseMs: 60 });
  expect(reply).toMatchObject({
    error: { code: "attempts_exhausted", message: /longer than 5000 ms/ },
  });
  await fleet.until("nothing left", async () => (await rowsOf(id)).length === 0 || undefined);
  expect(await bucket.uploads(prefix())).toEqual([]);
  expect(await bucket.keys(`${prefix()}out/${id}/`)).toEqual([]);
});

test("a retry keeps its own file, and the first run's is gone", async () => {
  const { id, reply } = await run("write", { failures: 1 });
  const { output: file } = reply as unknown as { output: FileReference };
  expect(await bucket.keys(`${prefix()}out/${id}/`)).toEqual([file.$file]);
  expect(await rowsOf(id)).toMatchObject([{ key: file.$file, state: "kept" }]);
});

test("a write that nobody awaited does not become a file", async () => {
  const { id, reply } = await run("write", { bytes: 9 * 1024 * 1024, ending: "forget" });
  expect(reply).toMatchObject({ error: { code: "attempts_exhausted", message: /await it/ } });
  await fleet.until("nothing left", async () => (await rowsOf(id)).length === 0 || undefined);
  expect(await bucket.keys(`${prefix()}out/${id}/`)).toEqual([]);
});

test("each job of a batch has its files, also where one spoils the batch", async () => {
  const ids = await Promise.all(
    ["a", "b", "c"].map((value) =>
      fleet.publish("keeper", "many", { value, isSpoilt: value === "b" }),
    ),
  );
  const replies = await Promise.all(ids.map((id) => fleet.reply(id)));
  expect(replies.map(({ reply }) => reply.status)).toEqual(["succeeded", "failed", "succeeded"]);
  for (const [i, id] of ids.entries()) {
    const kept =
      i === 1
        ? []
        : [(replies[i] as unknown as { reply: { output: FileReference } }).reply.output.$file];
    await fleet.until("its own", async () => {
      const keys = await bucket.keys(`${prefix()}out/${id}/`);
      return keys.length === kept.length || undefined;
    });
    expect(await bucket.keys(`${prefix()}out/${id}/`)).toEqual(kept);
  }
});

test("what expired goes with the sweep, and what lives stays", async () => {
  const dead = await succeed("write", { name: "dead" });
  const live = await succeed("write", { name: "live" });
  await fleet.pool.query(
    "update engine.files set expires_at = now() - interval '1 s' where key = $1",
    [dead.$file],
  );
  expect(await succeed("sweep-files", {})).toEqual({
    expired: 1,
    orphans: 0,
    uploads: 0,
    isMore: false,
  });
  expect(await succeed("read", { file: live })).toBe(10);
  const { reply } = await run("read", { file: dead });
  expect(reply).toMatchObject({ error: { code: "rejected", message: /there is no file/ } });
});

test("a sweep takes objects, uploads and rows without an owner once they are old, and callers' by age", async () => {
  const { store } = bucket;
  const key = `${prefix()}out/gone/x-1/orphan`;
  const put = async (at: string) => {
    const { Readable } = await import("node:stream");
    await store.upload(at, Readable.from([Buffer.from("x")]), {
      contentType: "text/plain",
      signal: new AbortController().signal,
    });
  };
  await put(key);
  await put(`${prefix()}in/abc/theirs`);
  await put(`${fleet.config.ENGINE_PREFIX}/keeper-two/out/j/r-1/foreign`);
  await fleet.pool.query(
    "insert into engine.files (engine, key, job_id, expires_at) values ('keeper', $1, 'gone', now())",
    [`${prefix()}out/gone/x-2/never-uploaded`],
  );
  const sweep = (graceMs: number) =>
    sweepFiles({
      ...{ store, client: fleet.pool, engine: "keeper", prefix: fleet.config.ENGINE_PREFIX },
      graceMs,
    });
  expect(await sweep(600_000)).toMatchObject({ orphans: 0, expired: 0 });
  // Swift tells whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await sweep(1_000)).toMatchObject({ orphans: 2, expired: 0 });
  expect(await bucket.keys(`${prefix()}out/gone/`)).toEqual([]);
  expect(await bucket.keys(`${prefix()}in/`)).toEqual([`${prefix()}in/abc/theirs`]);
  expect(await bucket.keys(`${fleet.config.ENGINE_PREFIX}/keeper-two/`)).toHaveLength(1);
});

test("links up and down, as any HTTP client takes them", async () => {
  const { url, headers, file } = await succeed<{
    url: string;
    headers: Record<string, string>;
    file: FileReference;
  }>("link-to-write", { name: "datos ñ.json", bytes: 7, contentType: "application/json" });
  const put = (body: string, more: Record<string, string> = {}) =>
    fetch(url, {
      method: "PUT",
      body,
      headers: { "content-type": String(headers["content-type"]), ...more },
    });
  expect((await put('{"a":12345}')).status).toBe(403);
  expect((await put('{"a":1}', { "content-type": "text/html" })).status).toBe(403);
  expect((await put('{"a":1}')).status).toBe(200);
  expect(await succeed("read", { file, as: "json" })).toEqual({ a: 1 });

  const link = await succeed<string>("read", { file, as: "link", downloadAs: 'x"; y=\r\n' });
  const got = await fetch(link);
  expect(await got.text()).toBe('{"a":1}');
  expect(got.headers.get("content-type")).toBe("application/json");
  expect(got.headers.get("content-disposition")).toBe(
    "attachment; filename*=UTF-8''x%22%3B%20y%3D%0D%0A",
  );
  expect((await fetch(link.replace(/keeper\/in/, "other/in"))).status).toBe(403);
  const short = await succeed<string>("read", { file, as: "link", expiresS: 1 });
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  expect((await fetch(short)).status).toBe(403);
});

test("a file can be deleted, twice", async () => {
  const file = await succeed("write", {});
  await succeed("read", { file, as: "delete" });
  await succeed("read", { file, as: "delete" });
  expect(await succeed("read", { file, as: "head" })).toBe(null);
});
