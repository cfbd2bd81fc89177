/** What went wrong when a connection could not be opened: one code and one plain cause for each. */
import { brokerCode, plain } from "./amqp-client-insides.ts";
import { BrokerUnavailable } from "./errors.ts";
import { NotAmqp } from "./frames.ts";

/** Node's codes of TLS itself, and OpenSSL's of certificates that don't convince. */
const TLS_CODE =
  /^(EPROTO|ERR_SSL_.*|ERR_TLS_.*|.*_CERT(_.*)?|CERT_.*|UNABLE_TO_.*|.*SIGNATURE.*)$/;
const NO_TLS = /wrong version number|packet length too long|http request/i;

/** `where` is host and port, without anything secret. */
export function connectFailure(error: unknown, where: string): BrokerUnavailable {
  const cause = plain(error);
  if ([403, 530].includes(brokerCode(error)))
    return new BrokerUnavailable("access_refused", false, { cause });
  if (error instanceof NotAmqp) {
    cause.message = `${where}: ${cause.message}`;
    return new BrokerUnavailable("not_amqp", false, { cause });
  }
  const code = String((error as NodeJS.ErrnoException | undefined)?.code ?? "");
  if (TLS_CODE.test(code)) {
    // OpenSSL's own words hold addresses and source lines.
    if (NO_TLS.test(cause.message)) cause.message = "the port does not speak TLS: amqp://";
    else if (/^E(RR_SSL_|PROTO)/.test(code)) cause.message = code;
    cause.message = `${where}: ${cause.message}`;
    return new BrokerUnavailable("tls_failed", false, { cause });
  }
  if (cause.message === "Connection ended")
    cause.message = `${where} closed the connection without a word: no broker behind it, or it wants amqps://`;
  return new BrokerUnavailable("broker_unreachable", false, { cause });
}
