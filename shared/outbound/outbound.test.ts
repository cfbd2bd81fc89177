/** What the guard lets through, and how: which address it dials, whom it tells what, and what it gives back. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { type DnsServer, serveDns, type ZoneEntry } from "./dns-server.fixture.ts";
import { createOutbound, OutboundError, type OutboundOptions } from "./index.ts";
import { answerOf, makeCertificate, type RawServer, serveRaw } from "./raw-server.fixture.ts";
import { listenAt } from "./witness.fixture.ts";

/** Stands for the internet here; the rest of loopback stays as shut as ever. */
const OUTSIDE = "127.9.0.1";
const OTHER_OUTSIDE = "127.9.0.2";

function open(options: OutboundOptions) {
  const outbound = createOutbound(options);
  onTestFinished(() => outbound.close());
  return outbound;
}

async function dnsOf(zone: Record<string, ZoneEntry>): Promise<DnsServer> {
  const dns = await serveDns(zone);
  onTestFinished(() => dns.close());
  return dns;
}

async function serve(...args: Parameters<typeof serveRaw>): Promise<RawServer> {
  const server = await serveRaw(...args);
  onTestFinished(() => server.close());
  return server;
}

async function witnessAt(hosts: string[], port: number) {
  const witness = await listenAt(hosts, port);
  onTestFinished(() => witness.close());
  return witness;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (error) => (error instanceof OutboundError ? error.code : error),
  );

const hello: Parameters<typeof serveRaw>[0] = (socket) => socket.write(answerOf("hello"));
const helloAndClose: Parameters<typeof serveRaw>[0] = (socket) =>
  socket.end(answerOf("hello", "connection: close\r\n"));

test("a name that rebinds is dialled where it was checked, and looked up once for a connection", async () => {
  const server = await serve(helloAndClose, { host: OUTSIDE });
  const witness = await witnessAt(["127.0.0.1"], server.port);
  const dns = await dnsOf({
    "rebinds.hostile.test": (nth, type) =>
      type === "AAAA" ? [] : [nth === 0 ? OUTSIDE : "127.0.0.1"],
  });
  const outbound = open({ allow: [`127.9.0.0/16:${server.port}`], dnsServers: [dns.address] });
  const url = `http://rebinds.hostile.test:${server.port}/`;
  const response = await outbound.request({ url });
  expect((await response.bytes()).toString()).toBe("hello");
  expect(dns.asked).toEqual(["A rebinds.hostile.test", "AAAA rebinds.hostile.test"]);
  expect(await codeOf(outbound.request({ url }))).toBe("blocked_address");
  expect(server.heads).toHaveLength(1);
  expect(witness.heard).toEqual([]);
});

test("a name that rebinds at random never leads astray, fifty times at once", async () => {
  const server = await serve(helloAndClose, { host: OUTSIDE });
  const witness = await witnessAt(["127.0.0.1"], server.port);
  const dns = await dnsOf({
    "flips.hostile.test": (nth, type) =>
      type === "AAAA" ? [] : [nth % 2 === 0 ? OUTSIDE : "127.0.0.1"],
  });
  const outbound = open({ allow: [`127.9.0.0/16:${server.port}`], dnsServers: [dns.address] });
  const url = `http://flips.hostile.test:${server.port}/`;
  const codes = await Promise.all(
    Array.from({ length: 50 }, () => codeOf(outbound.request({ url }).then((it) => it.bytes()))),
  );
  expect(new Set(codes)).toEqual(new Set(["answered", "blocked_address"]));
  expect(witness.heard).toEqual([]);
});

test("of several addresses that are all allowed, the next one is tried", async () => {
  const server = await serve(hello, { host: OTHER_OUTSIDE });
  const dns = await dnsOf({ "two.hostile.test": [OUTSIDE, OTHER_OUTSIDE] });
  const outbound = open({ allow: [`127.9.0.0/16:${server.port}`], dnsServers: [dns.address] });
  const response = await outbound.request({ url: `http://two.hostile.test:${server.port}/` });
  expect((await response.bytes()).toString()).toBe("hello");
});

test("a kept connection is never another host's, though both have its address", async () => {
  const server = await serve(hello, { host: OUTSIDE });
  const dns = await dnsOf({
    "one.hostile.test": [OUTSIDE],
    "other.hostile.test": [OUTSIDE, "127.0.0.1"],
  });
  const outbound = open({ allow: [`127.9.0.0/16:${server.port}`], dnsServers: [dns.address] });
  const ask = (name: string) =>
    outbound.request({ url: `http://${name}:${server.port}/` }).then((it) => it.bytes());
  await ask("one.hostile.test");
  await ask("one.hostile.test");
  // A second one is opened where the first is still being freed.
  expect(server.open.size).toBeLessThanOrEqual(2);
  expect(dns.asked.filter((it) => !it.endsWith(" one.hostile.test"))).toEqual([]);
  expect(await codeOf(ask("other.hostile.test"))).toBe("blocked_address");
  expect(server.heads).toHaveLength(2);
});

test("a redirect is followed where it may go, checked anew, and refused where not", async () => {
  const server = await serve(
    (socket, head) =>
      socket.write(
        head.startsWith("GET /end ")
          ? answerOf("there")
          : answerOf("", `location: ${head.split(" ")[1]?.slice(1)}\r\n`, "302 Found"),
      ),
    { host: OUTSIDE },
  );
  const witness = await witnessAt(["127.0.0.1"], server.port);
  const dns = await dnsOf({ "inside.hostile.test": ["127.0.0.1"] });
  const allow = [`127.9.0.0/16:${server.port}`];
  const outbound = open({ allow, dnsServers: [dns.address], maxRedirects: 3 });
  const response = await outbound.request({ url: `${server.origin}//end` });
  expect([response.status, response.redirects, response.url]).toEqual([
    200,
    1,
    `${server.origin}/end`,
  ]);
  expect((await response.bytes()).toString()).toBe("there");
  const to = (url: string) => codeOf(outbound.request({ url: `${server.origin}/${url}` }));
  expect(await to(`http://127.0.0.1:${server.port}/`)).toBe("blocked_address");
  expect(await to(`http://inside.hostile.test:${server.port}/`)).toBe("blocked_address");
  expect(witness.heard).toEqual([]);
});

test("without redirects a 3xx is an answer, and its body can be read", async () => {
  const server = await serve((socket) =>
    socket.write(answerOf("moved", "location: http://10.0.0.1/\r\n", "301 Moved")),
  );
  const response = await open({ allow: ["127.0.0.1:*"] }).request({ url: server.origin });
  expect([response.status, response.header("location")]).toEqual([301, "http://10.0.0.1/"]);
  expect((await response.bytes()).toString()).toBe("moved");
});

test("a ring is noticed when it closes, not when the redirects are used up", async () => {
  const server = await serve((socket) =>
    socket.write(answerOf("", "location: /#again\r\n", "302 Found")),
  );
  const outbound = open({ allow: ["127.0.0.1:*"], maxRedirects: 5 });
  expect(await codeOf(outbound.request({ url: server.origin }))).toBe("too_many_redirects");
  expect(server.heads).toHaveLength(1);
});

test("what is for one host does not go to another that it redirects to", async () => {
  const second = await serve(hello, { host: OTHER_OUTSIDE });
  const first = await serve((socket) =>
    socket.write(answerOf("", `location: ${second.origin}/\r\n`, "307 Temporary Redirect")),
  );
  const outbound = open({ allow: ["127.0.0.0/8:*"], maxRedirects: 1 });
  const headers = { Authorization: "Bearer secret", COOKIE: "a=b", "x-kind": "links" };
  await (await outbound.request({ url: first.origin, headers })).discard();
  expect(first.heads[0]).toContain("Bearer secret");
  expect(second.heads[0]).toContain("x-kind: links");
  expect(second.heads[0]).not.toMatch(/secret|a=b/);
});

test("a POST arrives byte by byte, with the host's name and nothing of the caller's that frames it", async () => {
  const server = await serve(hello);
  const outbound = open({ allow: ["127.0.0.1:*"] });
  const body = '{"a":"ü\u2028"}';
  const response = await outbound.request({
    url: `${server.origin}/hook?x=1#part`,
    method: "POST",
    headers: { "content-type": "application/json", "accept-encoding": "identity" },
    body,
  });
  await response.discard();
  const [head = ""] = server.heads;
  expect(head).toMatch(/^POST \/hook\?x=1 HTTP\/1\.1\r\n/);
  expect(head.toLowerCase()).toContain(`\r\ncontent-length: ${Buffer.byteLength(body)}`);
  expect(head).toContain(`\r\nhost: 127.0.0.1:${server.port}`);
  expect(head).toContain("\r\naccept-encoding: identity");
});

test.each<[string, Record<string, string>]>([
  ["a line break in a value", { "x-a": "b\r\nx-evil: 1" }],
  ["a line feed in a value", { "x-a": "b\nc" }],
  ["a NUL in a value", { "x-a": "b\0c" }],
  ["a letter beyond Latin-1, whose low byte is a line feed", { "x-a": "b\u010ac" }],
  ["a line break in a name", { "x-a\r\nx-evil": "1" }],
  ["a colon in a name", { "x-a:": "1" }],
  ["an empty name", { "": "1" }],
  ["a host", { Host: "metadata.google.internal" }],
  ["a length", { "Content-Length": "5" }],
  ["chunks", { "transfer-encoding": "chunked" }],
  ["an upgrade", { upgrade: "h2c" }],
  ["a connection", { connection: "x" }],
  ["an expectation", { expect: "100-continue" }],
  ["a proxy's", { "proxy-authorization": "x" }],
  ["too much", { "x-a": "b".repeat(20_000) }],
  ["no text", { "x-a": 5 as unknown as string }],
])("a header that holds %s is refused before anybody hears of it", async (_, headers) => {
  const server = await serve(hello);
  const outbound = open({ allow: ["127.0.0.1:*"] });
  expect(await codeOf(outbound.request({ url: server.origin, headers }))).toBe("bad_request");
  expect(server.open.size + server.heads.length).toBe(0);
});

test.each([
  [{ method: "CONNECT" }],
  [{ method: "get" }],
  [{ method: "GET / HTTP/1.1\r\nx: y" }],
  [{ method: "GET", body: "x" }],
  [{ method: "POST", body: "x", maxRedirects: 1 }],
])("the request %o is refused", async (asked) => {
  const outbound = open({ allow: ["127.0.0.1:*"] });
  expect(await codeOf(outbound.request({ url: "http://127.0.0.1:9/", ...asked }))).toBe(
    "bad_request",
  );
});

test("a reader who has enough leaves, and the rest is never sent", async () => {
  let sent = 0;
  const server = await serve((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n<head>");
    const pour = () => {
      while (!socket.destroyed && socket.write("x".repeat(16_384))) sent += 16_384;
    };
    socket.on("drain", pour);
    pour();
  });
  const outbound = open({ allow: ["127.0.0.1:*"], maxRawBytes: 2 ** 30, maxDecodedBytes: 2 ** 30 });
  const response = await outbound.request({ url: server.origin });
  for await (const chunk of response.body) {
    expect(chunk.toString("latin1")).toMatch(/^<head>/);
    break;
  }
  await Promise.all([...server.open].map((it) => new Promise((done) => it.once("close", done))));
  expect(sent).toBeLessThan(16 * 1_048_576);
});

test("a body of each coding is read, and so are answers without one", async () => {
  const packed = gzipSync("hello");
  const server = await serve((socket, head) => {
    const [method, path] = head.split(" ");
    if (method === "HEAD")
      return socket.write(
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\ncontent-encoding: gzip\r\n\r\n",
      );
    if (path === "/204")
      return socket.write("HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n");
    if (path === "/empty") return socket.write(answerOf("", "content-encoding: gzip\r\n"));
    if (path === "/hints") socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    socket.write(answerOf(packed, "content-encoding: GZIP, identity\r\n"));
  });
  const outbound = open({ allow: ["127.0.0.1:*"] });
  const read = async (path: string, method = "GET") =>
    (await (await outbound.request({ url: server.origin + path, method })).bytes()).toString();
  expect(await read("/")).toBe("hello");
  expect(await read("/hints")).toBe("hello");
  expect(await read("/", "HEAD")).toBe("");
  expect(await read("/204")).toBe("");
  expect(await read("/empty")).toBe("");
});

test("more than is promised is nobody's: not of this answer, not of the next", async () => {
  const server = await serve((socket, _, nth) =>
    socket.write(
      nth === 0
        ? `${answerOf("hello")}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`
        : answerOf("good"),
    ),
  );
  const outbound = open({ allow: ["127.0.0.1:*"] });
  const read = () => outbound.request({ url: server.origin }).then((it) => it.bytes());
  const first = await read().catch((error: OutboundError) => error.code);
  expect(["hello", "bad_response", "cut_off"]).toContain(first.toString());
  expect((await read()).toString()).toBe("good");
});

test("a dropped body gives its connection to the next request", async () => {
  const server = await serve(hello);
  const outbound = open({ allow: ["127.0.0.1:*"] });
  for (let i = 0; i < 5; i += 1) await (await outbound.request({ url: server.origin })).discard();
  expect(server.heads).toHaveLength(5);
  expect(server.open.size).toBeLessThanOrEqual(2);
});

test("a caller's signal and a close end a request, each by its name", async () => {
  const server = await serve(() => {});
  const outbound = open({ allow: ["127.0.0.1:*"] });
  const controller = new AbortController();
  const asked = outbound.request({ url: server.origin, signal: controller.signal });
  setTimeout(() => controller.abort("the job is over"), 20);
  await expect(asked).rejects.toMatchObject({
    code: "aborted",
    cause: "the job is over",
    mayPass: true,
  });
  const early = outbound.request({ url: server.origin, signal: AbortSignal.abort() });
  expect(await codeOf(early)).toBe("aborted");
  const late = codeOf(outbound.request({ url: server.origin }));
  setTimeout(() => outbound.close(), 20);
  expect(await late).toBe("closed");
  expect(await codeOf(outbound.request({ url: server.origin }))).toBe("closed");
});

test("a name server that says nothing is not waited for", async () => {
  const dns = await dnsOf({ "silent.hostile.test": "SILENT" });
  const outbound = open({ dnsServers: [dns.address], connectTimeoutMs: 200 });
  await expect(outbound.request({ url: "https://silent.hostile.test/" })).rejects.toMatchObject({
    code: "timed_out",
    message: "silent.hostile.test took too long to connect",
  });
});

test("nobody at the address, and no TLS there", async () => {
  const plain = await serve(hello);
  const outbound = open({ allow: ["127.0.0.1:*"], connectTimeoutMs: 500 });
  expect(await codeOf(outbound.request({ url: "https://127.0.0.1:1/" }))).toBe("connect_failed");
  const secure = `https://127.0.0.1:${plain.port}/`;
  expect(await codeOf(outbound.request({ url: secure }))).toMatch(/^(tls_failed|timed_out)$/);
});

test("TLS is for the name that was asked, whatever the environment says of it", async () => {
  const right = makeCertificate("DNS:right.hostile.test");
  const server = await serve(hello, { host: OUTSIDE, tls: right });
  const dns = await dnsOf({ "right.hostile.test": [OUTSIDE], "wrong.hostile.test": [OUTSIDE] });
  const options = { allow: [`127.9.0.0/16:${server.port}`], dnsServers: [dns.address] };
  const trusting = open({ ...options, trustedCertificates: right.cert });
  const ask = (outbound: ReturnType<typeof open>, name: string) =>
    codeOf(outbound.request({ url: `https://${name}:${server.port}/` }).then((it) => it.bytes()));
  expect(await ask(trusting, "right.hostile.test")).toBe("answered");
  expect(await ask(trusting, "right.hostile.test.")).toBe("answered");
  expect(await ask(trusting, "wrong.hostile.test")).toBe("tls_failed");
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  onTestFinished(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  });
  expect(await ask(open(options), "right.hostile.test")).toBe("tls_failed");
  expect(await ask(trusting, "wrong.hostile.test")).toBe("tls_failed");
});

test("a proxy of the environment hears nothing", async () => {
  const server = await serve(hello, { host: OUTSIDE });
  const proxy = await witnessAt(["127.0.0.1"], 0);
  const via = `http://127.0.0.1:${proxy.port}`;
  const script = `
    import { createOutbound } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const outbound = createOutbound({ allow: ["${OUTSIDE}:${server.port}"] });
    const response = await outbound.request({ url: "${server.origin}" });
    console.log((await response.bytes()).toString());
    await outbound.close();`;
  const proxies = { HTTP_PROXY: via, http_proxy: via, HTTPS_PROXY: via, ALL_PROXY: via };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "--eval", script],
    { env: { ...process.env, ...proxies, NODE_USE_ENV_PROXY: "1", NO_PROXY: "" } },
  );
  expect(stdout).toBe("hello\n");
  expect(proxy.heard).toEqual([]);
});

test("an answer that nobody reads lets go of its connection by itself", async () => {
  const server = createServer((_, response) => response.write("half of it"));
  server.listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const outbound = open({ allow: ["127.0.0.1:*"], firstByteTimeoutMs: 100 });
  const closed = new Promise((done) =>
    server.on("connection", (socket) => socket.once("close", done)),
  );
  await outbound.request({ url: `http://127.0.0.1:${port}/` });
  await closed;
});
