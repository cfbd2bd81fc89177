/** What Node's own errors say of the way to a server: its name, its port, its certificate. */

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
