/** Each wrong AMQP_URL is told from the others within 5 s, and none of their errors holds the password. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { inspect, promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "../services/ready.ts";
import { connect } from "./client.ts";
import { type Broker, CAN_OWN_BROKER, ownBroker } from "./testing/broker.ts";

const amqpUrl = process.env.AMQP_URL ?? "";
const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;
const servers: Server[] = [];
const sockets = new Set<Socket>();
const ports = { refused: 0, silent: 0, closing: 0, http: 0, tls: 0, amqp1: 0 };
/** A RabbitMQ that listens with TLS, where one can be started. */
let dir: string;
let ownTls: { broker: Broker; port: number } | undefined;

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** Files with a key and a certificate that no one vouches for. */
async function selfSigned(dir: string): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert];
  await promisify(execFile)("openssl", [...args, ...subject]);
  await chmod(dir, 0o755);
  await chmod(key, 0o644); // The broker may run as another user.
  return { key, cert };
}

async function startTlsBroker({ key, cert }: { key: string; cert: string }) {
  const broker = await ownBroker();
  const [port] = (await freePorts(1)) as [number];
  const tls = `[{certfile,"${cert}"},{keyfile,"${key}"}]`;
  await broker.control(
    "eval",
    `{ok,_} = application:ensure_all_started(ssl), ok = rabbit_networking:start_ssl_listener({"127.0.0.1",${port}}, ${tls}, 1).`,
  );
  return { broker, port };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tls-"));
  const { key, cert } = await selfSigned(dir);
  if (CAN_OWN_BROKER) ownTls = await startTlsBroker({ key, cert });
  [ports.refused] = (await freePorts(1)) as [number];
  ports.silent = await listen(createServer());
  ports.closing = await listen(createServer((socket) => void socket.end()));
  ports.amqp1 = await listen(createServer((socket) => void socket.end("AMQP\0\x01\0\0")));
  ports.http = await listen(createHttpServer());
  ports.tls = await listen(
    createTlsServer({ key: await readFile(key), cert: await readFile(cert) }),
  );
});
afterAll(async () => {
  await ownTls?.broker.remove();
  await rm(dir, { recursive: true });
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
});

const SECRET = "s3cret";
const to = (port: number, scheme = "amqp") => `${scheme}://user:${SECRET}@127.0.0.1:${port}/%2Fx`;
const broker = (change: Partial<Pick<URL, "username" | "password" | "pathname">>) =>
  Object.assign(new URL(amqpUrl), change).href;

test.each<[string, () => string, string, RegExp]>([
  ["unreachable", () => to(ports.refused), "broker_unreachable", /ECONNREFUSED 127\.0\.0\.1:\d+/],
  [
    "unknown host",
    () => `amqp://user:${SECRET}@no-such-host.invalid`,
    "broker_unreachable",
    /no-such-host\.invalid/,
  ],
  [
    "silent port",
    () => to(ports.silent),
    "broker_unreachable",
    /no answer from 127\.0\.0\.1:\d+ in/,
  ],
  ["closing port", () => to(ports.closing), "broker_unreachable", /closed the connection without/],
  ["HTTP port", () => to(ports.http), "not_amqp", /127\.0\.0\.1:\d+: the port answers in HTTP/],
  ["AMQP 1.0", () => to(ports.amqp1), "not_amqp", /another version of AMQP/],
  ["plain to TLS", () => to(ports.tls), "broker_unreachable", /or it wants amqps:/],
  [
    "TLS to plain",
    () => amqpUrl.replace("amqp:", "amqps:"),
    "tls_failed",
    /the port does not speak TLS: amqp:/,
  ],
  [
    "TLS to HTTP",
    () => to(ports.http, "amqps"),
    "tls_failed",
    /the port does not speak TLS: amqp:/,
  ],
  [
    "unknown CA",
    () => to(ports.tls, "amqps"),
    "tls_failed",
    /self-signed certificate.*NODE_EXTRA_CA/,
  ],
  [
    "wrong password",
    () => broker({ password: SECRET }),
    "access_refused",
    /ACCESS_REFUSED.*check the user, its password/,
  ],
  ["wrong vhost", () => broker({ pathname: "/nope" }), "access_refused", /vhost.*nope/],
])("%s", async (_, url, code, message) => {
  const startedAt = performance.now();
  const error = await connect({ amqpUrl: url() }).catch((reason) => reason);
  expect(error).toMatchObject({ name: "BrokerUnavailable", code, maybeAccepted: false });
  expect(error.message).toMatch(message);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test.skipIf(!CAN_OWN_BROKER)(
  "RabbitMQ with TLS: plain to it, an unknown CA, a known one",
  async () => {
    const { port } = ownTls as { port: number };
    const plain = await connect({ amqpUrl: to(port) }).catch((reason) => reason);
    expect(plain.message).toMatch(/the port wants TLS: amqps:/);
    const unknown = await connect({ amqpUrl: to(port, "amqps") }).catch((reason) => reason);
    expect(unknown).toMatchObject({ code: "tls_failed" });
    const url = `amqps://guest:guest@127.0.0.1:${port}/%2Fengine`;
    const script = `const { connect } = await import(${JSON.stringify(import.meta.resolve("./client.ts"))});
    await using _ = await connect({ amqpUrl: ${JSON.stringify(url)} });`;
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(dir, "cert.pem") };
    await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
  },
);

test("a % that stands for nothing is refused without being printed", async () => {
  for (const url of ["amqp://u:100%@h", "amqp://u:%ff@h", "amqp://u:p@h/%zz"]) {
    const error = await connect({ amqpUrl: url }).catch((reason) => reason);
    expect(error).toMatchObject({ name: "InvalidArgument", code: "invalid_option" });
    expect(error.message).toBe(
      "connect: a % in amqpUrl's user, password or vhost must be written %25",
    );
  }
});

test.skipIf(managementUrl === undefined)("a password in any script works", async () => {
  const { username, password, origin } = new URL(managementUrl as string);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const headers = { authorization, "content-type": "application/json" };
  const vhost = new URL(amqpUrl).pathname.slice(1);
  const put = (path: string, body: unknown, method = "PUT") =>
    fetch(`${origin}/api/${path}`, { method, headers, body: JSON.stringify(body) });
  const name = "peñón";
  const spoken = "contraseña de 5 €: 100%/@";
  await put(`users/${encodeURIComponent(name)}`, { password: spoken, tags: "" });
  await put(`permissions/${vhost}/${encodeURIComponent(name)}`, {
    configure: ".*",
    write: ".*",
    read: ".*",
  });
  const encoded = broker({
    username: encodeURIComponent(name),
    password: encodeURIComponent(spoken),
  });
  await using _ = await connect({ amqpUrl: encoded, publisher: false });
  await expect(connect({ amqpUrl: encoded })).rejects.toThrow("no publisher's name");
  // As somebody types it who only escapes what a URL must.
  const typed = amqpUrl.replace(/\/\/.*@/, `//${name}:contraseña de 5 €: 100%25%2F%40@`);
  await using __ = await connect({ amqpUrl: typed, publisher: false });
  await put(`users/${encodeURIComponent(name)}`, {}, "DELETE");
});
