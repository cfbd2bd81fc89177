/** The endpoint of the traces, and a kubectl that hangs: what is broken there, on real sockets and processes. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { kubernetes } from "./kubernetes.ts";
import { otlp } from "./otlp.ts";
import { examine, told } from "./testing/findings.ts";

let server: Server;
let answer: RequestListener;
let endpoint: string;

beforeAll(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => server.closeAllConnections());
afterAll(() => server.close());

const needed = {
  AMQP_URL: "amqp://127.0.0.1/",
  DATABASE_URL: "postgres://127.0.0.1/enginedb",
  REDIS_URL: "redis://127.0.0.1",
};
const reach = async (env: Record<string, string> = {}, limitMs = 5_000) => {
  const OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
  const given = { ...needed, OTEL_EXPORTER_OTLP_ENDPOINT, ...env };
  return told(await examine(otlp, { env: given, limitMs }), "otlp.reach");
};

test("one that takes traces gets none, with the headers as the exporter sends them", async () => {
  const seen: (string | undefined)[] = [];
  answer = ({ url, method, headers }, response) => {
    seen.push(method, url, headers["api-key"] as string);
    response.end("{}");
  };
  expect(await reach({ OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b" })).toMatch(
    /^ok: takes traces, /,
  );
  expect(seen).toEqual(["POST", "/v1/traces", "a b"]);
});

test.each([
  [401, /^failure: answers 401; .*OTEL_EXPORTER_OTLP_HEADERS lacks its key/],
  [404, /^failure: answers 404; .*ends before \/v1\/traces/],
  [503, /^failure: answers 503; it takes no traces now; .*; curl /],
])("%i", async (status, message) => {
  answer = (_, response) => void response.writeHead(status).end();
  const found = await reach({ OTEL_EXPORTER_OTLP_HEADERS: "api-key=hunter2-and-more" });
  expect(found).toMatch(message);
  expect(found).not.toContain("hunter2");
});

test("none, one that is not there, headers that can't be read, one that hangs", async () => {
  expect(await reach({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toMatch(/^skipped: not configured/);
  expect(await reach({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" })).toMatch(
    /^failure: not reached; /,
  );
  expect(await reach({ OTEL_EXPORTER_OTLP_HEADERS: "a=%zz" })).toMatch(
    /^failure: its headers can't be read; .*; write it as %25 there$/,
  );
  answer = () => {};
  const startedAt = performance.now();
  expect(await reach({}, 500)).toMatch(/^failure: no answer within 500 ms; /);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
});

test("a kubectl that is missing, and one that hangs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "doctor-"));
  const { PATH } = process.env;
  const context = async () =>
    told(await examine(kubernetes("dev"), { env: needed, limitMs: 500 }), "kubernetes.reach");
  try {
    process.env.PATH = folder;
    expect(await context()).toMatch(/^failure: kubectl is not installed; /);
    writeFileSync(join(folder, "kubectl"), "#!/bin/sh\nexec /bin/sleep 20\n");
    chmodSync(join(folder, "kubectl"), 0o755);
    expect(await context()).toMatch(/^failure: no answer within 500 ms; /);
  } finally {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  }
});
