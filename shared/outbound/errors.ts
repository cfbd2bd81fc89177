/** Why a request to the outside was refused or did not end well: one class, and a closed list of codes. */

/** Each code, and whether the same request may go well later. What is refused by rule is refused again. */
const MAY_PASS = {
  /** No URL that can be asked: not parsable, too long, a name that no host can have. */
  bad_url: false,
  /** `user:password@` in the URL. */
  user_info: false,
  /** Neither https nor, where allowed, http. */
  blocked_scheme: false,
  /** A port that is not open to this scheme. */
  blocked_port: false,
  /** A name that is never of the internet, such as `localhost` or one without a dot. */
  blocked_host: false,
  /** An address, in the URL or in an answer of the DNS, that is not of the internet. */
  blocked_address: false,
  /** The caller's method, header or body can't be sent. */
  bad_request: false,
  /** The answer's headers or its body, as it came or decoded, are larger than allowed. */
  too_large: false,
  /** More redirects than allowed, or one to where it has been. */
  too_many_redirects: false,
  /** A redirect without a place to go. */
  bad_redirect: false,
  /** The answer is no HTTP/1.1. */
  bad_response: true,
  /** A content coding that is unknown, stacked or broken. */
  bad_encoding: true,
  /** A phase, or the whole, took longer than allowed. */
  timed_out: true,
  /** The name has no address, or nobody says which. */
  dns_failed: true,
  /** Nobody took the connection. */
  connect_failed: true,
  /** No TLS, or a certificate that is not this host's. */
  tls_failed: true,
  /** The connection ended before the answer did, or undici ended it for what was sent. */
  cut_off: true,
  /** The caller's signal was aborted; it is the `cause`. */
  aborted: true,
  /** The outbound was closed. */
  closed: true,
} as const;

export type OutboundCode = keyof typeof MAY_PASS;

export const OUTBOUND_CODES = Object.keys(MAY_PASS) as OutboundCode[];

/**
 * A request that was refused or did not end well. The message names the host that was asked for and nothing
 * else of the URL, so it may be shown; the `cause` may name addresses, and is for the log.
 */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  readonly code: OutboundCode;
  constructor(code: OutboundCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
  /** Whether the same request may go well later; false: it is refused again. */
  get mayPass(): boolean {
    return MAY_PASS[this.code];
  }
}
