/** Hands a mail's bytes to the server, and reads what its answer means for the mail and its address. */
import { createTransport, type Transporter } from "nodemailer";
import { type MailSettings, readMailbox } from "./settings.ts";

/** What became of a mail that was handed over. */
export type Delivery =
  | { kind: "sent"; reply: string }
  /** The address takes no mail: none is sent there again. */
  | { kind: "bounced"; reply: string }
  /** The server does not take this mail. */
  | { kind: "refused"; reply: string }
  /** The server is away, busy, greylists, or takes none of our mails: the same again, later. */
  | { kind: "later"; reply: string };

export interface FrozenMail {
  address: string;
  message: Buffer;
}

const CONNECT_MS = 10_000;
/** RFC 5321 lets a server take ten minutes for the end of DATA; one that takes so long is asked again. */
const SILENCE_MS = 30_000;
/** A connection that nobody needs is no reason to stay. */
const IDLE_MS = 5_000;
const MAX_REPLY = 300;

/**
 * Never rejects but with the signal's reason. Connections are kept between mails, by settings: a worker has one set of
 * them, and they close by themselves.
 */
export async function sendMail(
  mail: FrozenMail,
  settings: MailSettings,
  signal: AbortSignal,
): Promise<Delivery> {
  const from = readMailbox(settings.NOTIFICATIONS_MAIL_FROM ?? "")?.address ?? "";
  try {
    const info = await poolOf(settings).sendMail({
      envelope: { from, to: [mail.address] },
      raw: mail.message,
      signal,
    });
    return { kind: "sent", reply: readable(info.response ?? "") };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return readRefusal(error as SmtpError);
  }
}

/** What nodemailer tells of a failure. */
interface SmtpError extends Error {
  code?: string;
  command?: string;
  response?: string;
  responseCode?: number;
}

/** Answers that find fault with the command or with us, and not with who is named in it. */
const OUR_FAULT = new Set([500, 501, 502, 503, 504, 530, 535]);
// RFC 3463: X.7.X is security or policy, such as "relaying denied", which is between the server and us.
const POLICY = /^5\d\d[ -]5\.7\./;

/** 5xx ends the mail where it is about the address or the mail; all else is the server's, and may pass. */
export function readRefusal(error: SmtpError): Delivery {
  const { code, command = "", response = "", responseCode = 0 } = error;
  const reply = readable(response || error.message);
  if (responseCode >= 500) {
    if (command.startsWith("RCPT")) {
      const isOurs = OUR_FAULT.has(responseCode) || POLICY.test(response);
      return { kind: isOurs ? "later" : "bounced", reply };
    }
    if (command === "DATA") return { kind: "refused", reply };
    return { kind: "later", reply };
  }
  if (responseCode > 0) return { kind: "later", reply };
  // Said by the client, before it asked the server.
  if (code === "EENVELOPE") return { kind: "bounced", reply };
  if (code === "EMESSAGE") return { kind: "refused", reply };
  return { kind: "later", reply };
}

const readable = (text: string) =>
  text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .toWellFormed()
    .slice(0, MAX_REPLY);

const pools = new WeakMap<MailSettings, Transporter>();

function poolOf(settings: MailSettings): Transporter {
  const kept = pools.get(settings);
  if (kept !== undefined) return kept;
  const made = createTransport(poolOptions(settings)) as unknown as Transporter;
  // A connection that ends badly says so to the mail that is on it.
  made.on("error", () => {});
  pools.set(settings, made);
  return made;
}

function poolOptions(settings: MailSettings) {
  const { NOTIFICATIONS_SMTP_URL: server = "", NOTIFICATIONS_SMTP_TLS: tls } = settings;
  const { protocol, hostname, port, username, password } = new URL(server);
  const isEncrypted = protocol === "smtps:";
  const { NOTIFICATIONS_SMTP_MAILS_PER_SECOND: perSecond } = settings;
  return {
    pool: true as const,
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (isEncrypted ? 465 : 587),
    secure: isEncrypted,
    requireTLS: !isEncrypted && tls === "required",
    ignoreTLS: tls === "off",
    opportunisticTLS: tls === "optional",
    ...(username !== "" && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    }),
    maxConnections: settings.NOTIFICATIONS_SMTP_CONNECTIONS,
    maxMessages: 1_000,
    // Sending again is the job's, which knows what was sent.
    maxRequeues: 0,
    idleTimeout: IDLE_MS,
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    ...(perSecond > 0 && { rateLimit: perSecond, rateDelta: 1_000 }),
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
