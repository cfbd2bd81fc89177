/** Looks at the certificate of a server, by a connection of its own on which nothing is said or believed. */
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { type Finding, failure, ok, skipped, warning } from "./check.ts";

const WARNING_DAYS = 21;
const DAY_MS = 86_400_000;
const TIMEOUT_MS = 5_000;
const LOCAL = /^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/** Length 8, and the number that asks Postgres for TLS. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

export interface TlsServer {
  /** Such as `AMQP_URL`. */
  variable: string;
  url: string;
  defaultPort: number;
  /** Postgres speaks in clear first. */
  isPostgres?: boolean;
}

const hostOf = ({ url }: TlsServer) => new URL(url).hostname.replace(/^\[|\]$/g, "");

/** For a URL by which everything goes in clear. */
export function inClear({ variable, url }: TlsServer, change: string): Finding {
  const { hostname } = new URL(url);
  if (LOCAL.test(hostname)) return skipped("no TLS, on this machine");
  return warning(
    "no TLS",
    `${variable} goes to another machine in clear: password and jobs can be read on the way`,
    `write ${change} in ${variable}`,
  );
}

/** How long the certificate is still good. */
export async function checkExpiry(server: TlsServer, now: () => number): Promise<Finding> {
  const { variable, defaultPort } = server;
  const expiresMs = await expiryOf(server);
  if (expiresMs === undefined) return skipped("the server shows no certificate");
  const days = Math.floor((expiresMs - now()) / DAY_MS);
  const date = new Date(expiresMs).toISOString().slice(0, 10);
  const starttls = server.isPostgres ? " -starttls postgres" : "";
  const next = `openssl s_client -connect ${hostOf(server)}:${new URL(server.url).port || defaultPort}${starttls} </dev/null | openssl x509 -noout -enddate`;
  if (days < 0)
    return failure(
      `expired on ${date}`,
      `the certificate behind ${variable} has expired: workers that verify it get no connection any more`,
      next,
    );
  if (days < WARNING_DAYS)
    return warning(
      `expires in ${days} days`,
      `the certificate behind ${variable} ends on ${date}, and nobody has renewed it yet`,
      next,
    );
  return ok(`certificate until ${date}`);
}

/** In milliseconds; undefined where the server speaks no TLS. */
async function expiryOf(server: TlsServer): Promise<number | undefined> {
  const host = hostOf(server);
  const port = Number(new URL(server.url).port || server.defaultPort);
  const plain = connect({ host, port, timeout: TIMEOUT_MS });
  try {
    await once(plain, "connect");
    if (server.isPostgres && !(await postgresTakesTls(plain))) return undefined;
    const socket = tlsConnect({
      socket: plain,
      // It is looked at only: who trusts it is the driver's to decide.
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    await once(socket, "secureConnect");
    const { valid_to: until } = socket.getPeerCertificate();
    socket.destroy();
    return until === undefined ? undefined : Date.parse(until);
  } finally {
    plain.destroy();
  }
}

async function postgresTakesTls(socket: Socket): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString("latin1", 0, 1) === "S";
}
