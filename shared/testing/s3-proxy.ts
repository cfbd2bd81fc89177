/** An HTTP proxy before an S3 server, which answers in its place, late, or not to the end. Signatures pass: they hold the proxy's name. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

export type S3Fault =
  | { kind: "answer"; status: number; code: string }
  | { kind: "delay"; ms: number }
  /** Resets the connection after so many bytes of the body, on its way there or back. */
  | { kind: "cut"; direction: "up" | "down"; afterBytes: number };

export interface S3Proxy {
  readonly url: string;
  /** `METHOD path?query` of all requests since the last fault was set. */
  readonly seen: string[];
  /** @param choose what to do with a request; undefined lets it pass. */
  set(choose: (request: { method: string; url: string }, nth: number) => S3Fault | undefined): void;
  heal(): void;
  close(): Promise<void>;
}

export async function s3ProxyBefore(endpoint: string): Promise<S3Proxy> {
  const target = new URL(endpoint);
  const seen: string[] = [];
  let choose: Parameters<S3Proxy["set"]>[0] = () => undefined;
  const server = createServer((from, to) => {
    const { method = "", url = "" } = from;
    seen.push(`${method} ${url}`);
    const fault = choose({ method, url }, seen.length);
    if (fault?.kind === "answer") return answer(from, to, fault);
    const pass = () => forward(target, from, to, fault?.kind === "cut" ? fault : undefined);
    if (fault?.kind === "delay") setTimeout(pass, fault.ms);
    else pass();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const set: S3Proxy["set"] = (next) => {
    seen.length = 0;
    choose = next;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    set,
    heal: () => set(() => undefined),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(
  from: IncomingMessage,
  to: ServerResponse,
  { status, code }: { status: number; code: string },
) {
  from.resume();
  from.once("end", () => {
    to.writeHead(status, { "content-type": "application/xml" });
    to.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>told to</Message></Error>`);
  });
}

function forward(
  target: URL,
  from: IncomingMessage,
  to: ServerResponse,
  cut: { direction: "up" | "down"; afterBytes: number } | undefined,
) {
  // Its client gave up while it was held.
  if (from.socket.destroyed) return;
  const { hostname, port } = target;
  const { method, url, headers } = from;
  const there = request({
    hostname,
    port,
    method,
    path: url,
    headers,
    setHost: false,
    agent: false,
  });
  const end = () => {
    there.destroy();
    from.socket.resetAndDestroy();
  };
  there.on("error", () => to.destroy());
  from.on("error", () => there.destroy());
  from.on("close", () => {
    if (!from.complete) there.destroy();
  });
  to.on("error", () => there.destroy());
  there.on("response", (back) => {
    back.on("error", () => to.destroy());
    to.writeHead(back.statusCode ?? 502, back.rawHeaders);
    if (cut?.direction === "down") cutAfter(back, cut.afterBytes, end);
    back.pipe(to);
  });
  if (cut?.direction === "up") cutAfter(from, cut.afterBytes, end);
  from.pipe(there);
}

function cutAfter(stream: IncomingMessage, bytes: number, end: () => void) {
  let passed = 0;
  stream.on("data", (chunk: Buffer) => {
    passed += chunk.length;
    if (passed >= bytes) setImmediate(end);
  });
}
