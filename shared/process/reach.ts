/** What Node's errors say of the way to a server (its name, its port, its certificate), and how a start tells it. */
import { StartFailure } from "./start-failure.ts";

export type Reach =
  /** No such name, or no answer from the name server. */
  | "unknown-host"
  /** Nobody listens, or no packet passes. */
  | "unreachable"
  /** The connection was there, and ended. */
  | "broken"
  /** Signed by nobody whom this process trusts. */
  | "unknown-ca"
  | "wrong-certificate-name"
  | "bad-certificate"
  /** The other side does not speak TLS. */
  | "no-tls";

const REACH: Record<string, Reach> = {
  ENOTFOUND: "unknown-host",
  EAI_AGAIN: "unknown-host",
  EAI_FAIL: "unknown-host",
  ECONNREFUSED: "unreachable",
  ETIMEDOUT: "unreachable",
  EHOSTUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENOENT: "unreachable",
  EACCES: "unreachable",
  EMFILE: "unreachable",
  ECONNRESET: "broken",
  ECONNABORTED: "broken",
  EPIPE: "broken",
  ERR_STREAM_DESTROYED: "broken",
  ERR_SOCKET_CLOSED: "broken",
  SELF_SIGNED_CERT_IN_CHAIN: "unknown-ca",
  DEPTH_ZERO_SELF_SIGNED_CERT: "unknown-ca",
  UNABLE_TO_GET_ISSUER_CERT: "unknown-ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unknown-ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unknown-ca",
  CERT_UNTRUSTED: "unknown-ca",
  ERR_TLS_CERT_ALTNAME_INVALID: "wrong-certificate-name",
  HOSTNAME_MISMATCH: "wrong-certificate-name",
  CERT_HAS_EXPIRED: "bad-certificate",
  CERT_NOT_YET_VALID: "bad-certificate",
  CERT_REVOKED: "bad-certificate",
  CERT_REJECTED: "bad-certificate",
  CERT_SIGNATURE_FAILURE: "bad-certificate",
  CERT_CHAIN_TOO_LONG: "bad-certificate",
  INVALID_CA: "bad-certificate",
  INVALID_PURPOSE: "bad-certificate",
  PATH_LENGTH_EXCEEDED: "bad-certificate",
  UNABLE_TO_GET_CRL: "bad-certificate",
  EPROTO: "no-tls",
  ERR_SSL_WRONG_VERSION_NUMBER: "no-tls",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "no-tls",
};

/** Undefined for an error that is not about the way. A name with several addresses gives one error of several. */
export function reachOf(error: unknown): Reach | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && Object.hasOwn(REACH, code)) return REACH[code];
  if (typeof code === "string" && /^ERR_(?:SSL|TLS)_/.test(code)) return "bad-certificate";
  return error instanceof AggregateError ? reachOf(error.errors[0]) : undefined;
}

/** A server that a start needs. */
export interface Server {
  part: "postgres" | "redis" | "s3";
  /** As a reader knows it. */
  name: string;
  variable: string;
  url: string;
  defaultPort: number;
  /** What to write for a connection in clear, and for one by TLS. */
  plain: string;
  tls: string;
}

/** Host and port, without anything that is secret. */
function addressOf({ url, defaultPort }: Server): string {
  const { hostname, port, searchParams } = new URL(url);
  return `${hostname || (searchParams.get("host") ?? "localhost")}:${port || defaultPort}`;
}

/** `message` follows on the server, its variable and its address. */
export function startFailure(
  server: Server,
  message: string,
  options: ErrorOptions & { temporary: boolean },
): StartFailure {
  const { part, name, variable } = server;
  return new StartFailure(
    part,
    variable,
    `${name} (${variable}, ${addressOf(server)}) ${message}`,
    options,
  );
}

export function explainReach(reach: Reach, server: Server, cause: unknown): StartFailure {
  const { name, variable, tls, plain } = server;
  const fail = (temporary: boolean, message: string) =>
    startFailure(server, message, { temporary, cause });
  const { hostname } = new URL(server.url);
  switch (reach) {
    case "unknown-host":
      return fail(
        true,
        `has an unknown host name: check ${variable}, or the name server (getent hosts ${hostname})`,
      );
    case "unreachable":
      return fail(
        true,
        `does not answer: start it, or check host, port and firewall (nc -vz ${addressOf(server).replace(/:(?=\d+$)/, " ")})`,
      );
    case "broken":
      return fail(
        true,
        `closes the connection before it greets: check that the port is ${name}'s, and whether it wants TLS (${tls})`,
      );
    case "unknown-ca":
      return fail(
        false,
        `has a certificate of a CA that this process does not know: name its file in NODE_EXTRA_CA_CERTS`,
      );
    case "wrong-certificate-name":
      return fail(
        false,
        `has a certificate for another name: write in ${variable} a host name that the certificate holds`,
      );
    case "bad-certificate":
      return fail(false, `has a certificate that can't be used (${codeOf(cause)}): renew it`);
    case "no-tls":
      return fail(
        false,
        `does not speak TLS there: take its TLS port, or on a network of your own ${plain}`,
      );
  }
}

/** A connection that was taken, and on which nothing came. */
export const explainSilence = (server: Server, cause: unknown): StartFailure =>
  startFailure(
    server,
    `takes the connection and says nothing: it hangs or starts, or the port is another service's; check ${server.variable}`,
    { temporary: true, cause },
  );

const codeOf = (error: unknown) => String((error as { code?: unknown }).code);
