/** A server that says what a test tells it to, byte by byte, to whoever has sent a request's head. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";

export interface RawServer {
  port: number;
  origin: string;
  /** The head of each request, as it came. */
  heads: string[];
  /** Sockets that are open. */
  open: Set<Socket>;
  close(): Promise<void>;
}

type Handler = (socket: Socket, head: string, nth: number) => void;

export interface Certificate {
  key: string;
  cert: string;
}

/** A certificate that signs itself, for names or addresses such as `DNS:a.test` or `IP:127.0.0.1`. */
export function makeCertificate(...names: string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "outbound-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test";
  const more = ["-addext", `subjectAltName=${names.join(",")}`, "-keyout", key, "-out", cert];
  execFileSync("openssl", [...made.split(" "), ...more], { stdio: "pipe" });
  const pair = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return pair;
}

export async function serveRaw(
  handle: Handler,
  { host = "127.0.0.1", port = 0, tls }: { host?: string; port?: number; tls?: Certificate } = {},
): Promise<RawServer> {
  const heads: string[] = [];
  const open = new Set<Socket>();
  const welcome = (socket: Socket) => {
    open.add(socket);
    let received = "";
    socket
      .on("error", () => {})
      .on("close", () => open.delete(socket))
      .on("data", (chunk) => {
        received += chunk.toString("latin1");
        for (let end = received.indexOf("\r\n\r\n"); end >= 0; end = received.indexOf("\r\n\r\n")) {
          const head = received.slice(0, end);
          received = received.slice(
            end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0),
          );
          heads.push(head);
          handle(socket, head, heads.length - 1);
        }
      });
  };
  const server: Server = tls ? createTlsServer(tls, welcome) : createServer(welcome);
  server.listen({ host, port });
  await once(server, "listening");
  const bound = (server.address() as { port: number }).port;
  return {
    port: bound,
    origin: `${tls ? "https" : "http"}://${host}:${bound}`,
    heads,
    open,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** An answer with a length that is true. */
export const answerOf = (body: string | Buffer, headers = "", status = "200 OK") =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${headers}\r\n`),
    Buffer.from(body as string),
  ]);
