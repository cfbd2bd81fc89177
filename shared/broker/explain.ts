/** Says why a start failed on the broker: what was met, read once, into the likely cause and what to do next. */
import { reachOf } from "../process/reach.ts";
import { StartFailure } from "../process/start-failure.ts";
import { userOf, vhostOf } from "./address.ts";
import { WrongAmqplib } from "./amqplib-insides.ts";
import { type Refusal, refusalOf, type Spoken, spokenAt } from "./peek.ts";

/** The broker is there, and not fit for what is asked of it. */
export class BrokerFailure extends StartFailure {
  override readonly name: string = "BrokerFailure";
  constructor(message: string, options: ErrorOptions & { temporary?: boolean } = {}) {
    super("broker", "AMQP_URL", message, { temporary: false, ...options });
  }
}

export interface Evidence {
  error: Error;
  /** What the port speaks, where it ended the connection without a word. */
  spoken?: Spoken | undefined;
  /** Why the broker ended the handshake. */
  refusal?: Refusal | undefined;
}

const codeOf = (error: Error) => (error as { code?: unknown }).code;

/**
 * What a first connection failed on. Where amqplib does not pass on what it met, the broker is asked once more.
 * An error that is none of the connection's comes back as it is.
 */
export async function explainFailure(error: unknown, amqpUrl: string): Promise<unknown> {
  if (!(error instanceof Error) || error instanceof StartFailure || error instanceof WrongAmqplib)
    return error;
  const isPlain = new URL(amqpUrl).protocol === "amqp:";
  // Words of amqplib, which has no codes for these.
  if (error.message.startsWith("Expected ConnectionOpenOk"))
    return explain({ error, refusal: await refusalOf(amqpUrl) }, amqpUrl);
  if (isPlain && (codeOf(error) === "ECONNRESET" || CUT_OFF.test(error.message)))
    return explain({ error, spoken: await spokenAt(amqpUrl) }, amqpUrl);
  return explain({ error }, amqpUrl);
}

const CUT_OFF = /^(Socket closed abruptly|Invalid frame|Frame size|Unknown frame type)/;
const LOGIN_REFUSED = /^Handshake terminated by server: 403/;
const SILENT = "connect ETIMEDOUT";

const NO_WAY = new Set<unknown>(["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);

/** Holds no secret: host, port, vhost and user are named, the password never. */
export function explain(evidence: Evidence, amqpUrl: string): BrokerFailure {
  const { error } = evidence;
  const [why, next, temporary = false] = causeOf(evidence, amqpUrl);
  return new BrokerFailure(`the broker at ${placeOf(amqpUrl)} (AMQP_URL) ${why}; ${next}`, {
    cause: error,
    temporary,
  });
}

function placeOf(amqpUrl: string): string {
  const { hostname, port, protocol } = new URL(amqpUrl);
  return `${hostname}:${port || (protocol === "amqps:" ? 5671 : 5672)}`;
}

/** Why, what to do next, and whether it may pass by itself. */
type Cause = [why: string, next: string, temporary?: boolean];

function causeOf({ error, spoken, refusal }: Evidence, amqpUrl: string): Cause {
  const { hostname } = new URL(amqpUrl);
  const place = placeOf(amqpUrl);
  const code = codeOf(error);
  if (code === "ECONNREFUSED") {
    const next = `start it, or mend host and port (5672, with TLS 5671): nc -vz ${place.replace(/:(\d+)$/, " $1")}`;
    return ["can't be reached: nothing listens there", next, true];
  }
  if (reachOf(error) === "unknown-host")
    return ["has a host that nobody knows", `mend the name: getent hosts ${hostname}`, true];
  if (NO_WAY.has(code))
    return ["can't be reached", "look for a firewall or a network policy in between", true];
  if (error.message === SILENT) {
    const next = `see whether it is the broker's port and whether something in between swallows the answer: nc -v ${place.replace(/:(\d+)$/, " $1")}`;
    return ["takes connections and answers nothing", next, true];
  }
  return (
    tlsCause(error, place, hostname) ??
    refusedCause(error, refusal, amqpUrl) ??
    spokenCause(spoken) ?? [`failed: ${error.message}`, "look into its log", true]
  );
}

function tlsCause(error: Error, place: string, hostname: string): Cause | undefined {
  const code = codeOf(error);
  const look = `openssl s_client -connect ${place} -servername ${hostname}`;
  const reach = reachOf(error);
  if (reach === "unknown-ca") {
    const next = `name the file of its CA in NODE_EXTRA_CA_CERTS: ${look} -showcerts`;
    return ["has a certificate of a CA that is not known here", next];
  }
  if (reach === "wrong-certificate-name")
    return [
      "has a certificate for another name",
      `use the host's name as it stands there: ${look}`,
    ];
  if (code === "CERT_HAS_EXPIRED")
    return ["has a certificate that has expired", `renew it: ${look}`];
  if (reach === "no-tls" || (typeof code === "string" && code.startsWith("ERR_SSL_")))
    return ["speaks no TLS on this port", "write amqp:// for amqps://, or its TLS port (5671)"];
  if (reach === "bad-certificate")
    return [`has a certificate that can't be used (${code})`, `renew it: ${look}`];
  return undefined;
}

function spokenCause(spoken: Spoken | undefined): Cause | undefined {
  if (spoken === "tls")
    return ["speaks TLS on this port", "write amqps:// for amqp://, or its plain port (5672)"];
  if (spoken === "http")
    return [
      "is an HTTP server on this port, such as the management API",
      "write the port of AMQP: 5672, with TLS 5671",
    ];
  if (spoken === undefined) return undefined;
  return ["ends the connection without a word", "see whether it is the broker's port", true];
}

const NOT_ALLOWED = 530;

function refusedCause(
  error: Error,
  refusal: Refusal | undefined,
  amqpUrl: string,
): Cause | undefined {
  const user = userOf(new URL(amqpUrl))?.username ?? "guest";
  if (LOGIN_REFUSED.test(error.message)) {
    const guest = user === "guest" ? ", and guest may only connect from the broker's own host" : "";
    const next = `percent-encode what is special in the password, as UTF-8: rabbitmqctl authenticate_user '${user}' "$PASSWORD"`;
    return [`refuses the user '${user}' or its password${guest}`, next];
  }
  if (refusal === undefined) return undefined;
  if (refusal.code !== NOT_ALLOWED || /\blimit\b/.test(refusal.text))
    return [
      `lets nobody in now: ${refusal.text}`,
      "close other connections, or raise its limit",
      true,
    ];
  const vhost = vhostOf(amqpUrl);
  const named =
    new URL(amqpUrl).pathname.length > 1
      ? `the vhost '${vhost}' (a vhost /engine is written %2Fengine)`
      : "the vhost '/', which is meant where AMQP_URL ends without one (/engine is written %2Fengine)";
  return [
    `refuses ${named} to the user '${user}': it does not exist, or the user has no rights there`,
    `rabbitmqctl list_vhosts; rabbitmqctl list_permissions -p '${vhost}'`,
  ];
}
