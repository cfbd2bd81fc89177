/** Each toxic before a service that echoes: what passes, what does not, and what both sides learn. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cut, type ServiceProxy, startProxy } from "./proxy.ts";

/** What the service answers to each chunk, before the chunk. */
const ECHO = "echo:";

let server: Server;
let proxy: ServiceProxy;
const served: Socket[] = [];
const received: string[] = [];
const clients: Socket[] = [];

beforeEach(async () => {
  served.length = 0;
  received.length = 0;
  server = createServer((socket) => {
    served.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received.push(chunk.toString());
      socket.write(`${ECHO}${chunk}`);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  proxy = await startProxy({ host: "127.0.0.1", port });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  for (const socket of served) socket.destroy();
  server.close();
  await once(server, "close");
});

async function open(): Promise<Socket> {
  const client = connect({ port: proxy.port, host: "127.0.0.1", noDelay: true });
  client.on("error", () => {});
  clients.push(client);
  await once(client, "connect");
  return client;
}

async function ask(client: Socket, text: string): Promise<string> {
  client.write(text);
  const [chunk] = await once(client, "data");
  return String(chunk);
}

/** Unlike `once`, it does not reject on the error that precedes a reset. */
const closeOf = (client: Socket) =>
  new Promise<void>((resolve) => client.once("close", () => resolve()));
/** Resolves when nothing arrived for `quietMs`; rejects when something did. */
function staysSilent(client: Socket, quietMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, quietMs);
    client.once("data", (chunk) => {
      clearTimeout(timer);
      reject(new Error(`got ${chunk}`));
    });
  });
}

test("carries bytes both ways and the end of a connection", async () => {
  const client = await open();
  expect(await ask(client, "hello")).toBe("echo:hello");
  const closed = once(served[0] as Socket, "end");
  client.end();
  await closed;
});

test("carries megabytes under back-pressure unharmed", async () => {
  const client = await open();
  const text = Array.from({ length: 1_000_000 }, (_, n) => String(n).padStart(8, "0")).join("");
  client.write(text);
  let got = "";
  const isWhole = () => {
    const arrived = received.reduce((sum, chunk) => sum + chunk.length, 0);
    return arrived === text.length && got.length === text.length + received.length * ECHO.length;
  };
  for await (const chunk of client) {
    got += String(chunk);
    if (isWhole()) break;
  }
  // Compared first: a difference of megabytes is not to be printed.
  expect(received.join("") === text).toBe(true);
  expect(got.replaceAll(ECHO, "") === text).toBe(true);
});

test("latency delays each way", async () => {
  const client = await open();
  await ask(client, "warm");
  const toxic = proxy.apply({ kind: "latency", delayMs: 200 });
  const startedAt = performance.now();
  expect(await ask(client, "slow")).toBe("echo:slow");
  expect(performance.now() - startedAt).toBeGreaterThan(390);
  toxic.remove();
  const againAt = performance.now();
  await ask(client, "fast");
  expect(performance.now() - againAt).toBeLessThan(200);
});

test("slicing keeps the bytes and their order", async () => {
  proxy.apply({ kind: "slice", maxBytes: 1 });
  const client = await open();
  client.write("abcdef");
  let got = "";
  while (got.replaceAll("echo:", "").length < 6) {
    const [chunk] = await once(client, "data");
    got += String(chunk);
  }
  expect(received.join("")).toBe("abcdef");
});

test("a black hole holds bytes back, and they arrive when it ends", async () => {
  const client = await open();
  await ask(client, "warm");
  const toxic = proxy.apply({ kind: "blackHole" });
  client.write("held");
  await staysSilent(client, 50);
  const late = connect({ port: proxy.port, host: "127.0.0.1" });
  clients.push(late);
  late.write("late");
  await staysSilent(late, 50);
  expect(received).toEqual(["warm"]);
  toxic.remove();
  expect(String((await once(client, "data"))[0])).toBe("echo:held");
  if (!received.includes("late")) await once(late, "data");
  expect(received).toContain("late");
});

test("half-open: the service loses the connection, the client learns it only at the end", async () => {
  const client = await open();
  await ask(client, "warm");
  const serverClosed = closeOf(served[0] as Socket);
  const toxic = proxy.apply({ kind: "halfOpen" });
  await serverClosed;
  client.write("into the void");
  await staysSilent(client, 50);
  expect(client.destroyed).toBe(false);
  const closed = closeOf(client);
  toxic.remove();
  await closed;
  expect(received).toEqual(["warm"]);
});

test("refusing resets live connections and new ones until it ends", async () => {
  const client = await open();
  await ask(client, "warm");
  const closed = closeOf(client);
  const toxic = proxy.apply({ kind: "refuse" });
  await closed;
  const second = connect({ port: proxy.port, host: "127.0.0.1" });
  second.on("error", () => {});
  await closeOf(second);
  toxic.remove();
  expect(await ask(await open(), "again")).toBe("echo:again");
  expect(received).toEqual(["warm", "again"]);
});

test("reset cuts what is live once", async () => {
  const client = await open();
  await ask(client, "warm");
  const closed = closeOf(client);
  proxy.reset();
  await closed;
  expect(await ask(await open(), "again")).toBe("echo:again");
});

test("cuts a connection after N bytes, once", async () => {
  const client = await open();
  const toxic = proxy.apply({ kind: "cutAfter", bytes: 10, direction: "up" });
  await ask(client, "12345");
  const closed = closeOf(client);
  client.write("67890");
  await Promise.all([closed, toxic.fired]);
  expect(received).toEqual(["12345"]);
  expect(await ask(await open(), "0123456789ab")).toBe("echo:0123456789ab");
});

test("loses a request: the service never sees it, also when it is split over chunks", async () => {
  const client = await open();
  const toxic = proxy.apply({ kind: "cutWhen", needle: "COMMIT", lose: "request" });
  await ask(client, "begin; COM");
  const closed = closeOf(client);
  client.write("MIT");
  await Promise.all([closed, toxic.fired]);
  expect(received).toEqual(["begin; COM"]);
});

test("loses a response: the service has acted on it, the client never knows", async () => {
  const client = await open();
  await ask(client, "begin");
  const toxic = proxy.apply({ kind: "cutWhen", needle: "COMMIT", lose: "response" });
  const closed = closeOf(client);
  const silent = new Promise((_, reject) => client.once("data", reject));
  client.write("COMMIT");
  await Promise.race([Promise.all([closed, toxic.fired]), silent]);
  expect(received).toEqual(["begin", "COMMIT"]);
  expect(await ask(await open(), "COMMIT")).toBe("echo:COMMIT");
});

test("an unreachable service resets the client", async () => {
  const dead = await startProxy({ host: "127.0.0.1", port: 1 });
  const client = connect({ port: dead.port, host: "127.0.0.1" });
  client.on("error", () => {});
  await closeOf(client);
  await dead.close();
});

test("a socket that is just ending is cut without leaving its handle", async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.resume()).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  const closed = once(socket, "close");
  socket.end("x");
  cut(socket);
  // With a RST it would never come.
  await closed;
  server.close();
});
