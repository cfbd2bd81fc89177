/** Makes the bytes of a digest: the same window and content give the same mail, to the last byte. */
import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import DKIM from "nodemailer/lib/dkim";
import MailComposer from "nodemailer/lib/mail-composer";
import { cleanText } from "./clean-text.ts";
import type { MailEntry } from "./entry.ts";
import { renderHtml } from "./render-html.ts";
import { renderText } from "./render-text.ts";
import { type MailSettings, readMailbox, readPem, readSecrets } from "./settings.ts";
import { signToken, unsubscribeUrl } from "./token.ts";
import { type DigestView, type Links, viewDigest } from "./view.ts";

/** Gmail cuts a mail of 102 kB; this is all of it, with its headers. */
export const MAX_MAIL_BYTES = 100_000;
/** More would not fit, whatever they say. */
const MAX_ITEMS = 250;
const MAX_SUBJECT = 150;

export interface Digest {
  receiverId: string;
  dueMs: number;
  address: string;
  locale: string | null;
  timeZone: string;
  entries: readonly MailEntry[];
}

export interface ComposedMail {
  messageId: string;
  message: Buffer;
}

/** @param nowMs becomes the mail's date: what "today" means in it. */
export async function composeDigest(
  digest: Digest,
  settings: MailSettings,
  nowMs: number,
): Promise<ComposedMail> {
  const view = viewDigest(digest.entries, digest, linksOf(digest, settings), nowMs);
  let shown = Math.min(view.items.length, MAX_ITEMS);
  for (;;) {
    const mail = await compose(digest, view, shown, settings, nowMs);
    const { length } = mail.message;
    if (length <= MAX_MAIL_BYTES || shown === 0) return mail;
    shown = Math.floor(shown * Math.min(0.9, MAX_MAIL_BYTES / length));
  }
}

function linksOf({ receiverId }: Digest, settings: MailSettings): Links {
  const { NOTIFICATIONS_UNSUBSCRIBE_URL: page, NOTIFICATIONS_TOKEN_SECRETS: secrets } = settings;
  const [secret] = readSecrets(secrets ?? "");
  return {
    issueUrl: settings.NOTIFICATIONS_ISSUE_URL,
    settingsUrl: settings.NOTIFICATIONS_SETTINGS_URL,
    unsubscribeUrl:
      page && secret ? unsubscribeUrl(page, signToken(receiverId, secret)) : undefined,
  };
}

async function compose(
  { receiverId, dueMs, address }: Digest,
  view: DigestView,
  shown: number,
  settings: MailSettings,
  nowMs: number,
): Promise<ComposedMail> {
  const from = readMailbox(settings.NOTIFICATIONS_MAIL_FROM ?? "");
  if (from === undefined) throw new TypeError("a mail without NOTIFICATIONS_MAIL_FROM");
  const domain = from.address.slice(from.address.lastIndexOf("@") + 1);
  const key = createHash("sha256").update(`${receiverId}\n${dueMs}`).digest("hex").slice(0, 40);
  const messageId = `<digest.${key}@${domain}>`;
  const { NOTIFICATIONS_MAIL_REPLY_TO: replyTo } = settings;
  const [text, html] = [renderText(view, shown), renderHtml(view, shown)];
  const composer = new MailComposer({
    from,
    to: { name: "", address },
    ...(replyTo !== undefined && { replyTo: readMailbox(replyTo) }),
    subject: cleanText(view.subject, MAX_SUBJECT),
    text,
    html,
    textEncoding: encodingOf(html),
    messageId,
    date: new Date(nowMs),
    baseBoundary: key,
    headers: headersOf(view, domain, key, settings),
    xMailer: false,
    newline: "windows",
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const message = await composer.compile().build();
  return { messageId, message: await signed(message, settings) };
}

/** The shorter one, more or less, without trying both: a letter of Spanish is three bytes quoted for each of its two. */
const encodingOf = (text: string) =>
  Buffer.byteLength(text) > text.length * 1.15 ? "base64" : "quoted-printable";

/** RFC 3834, 2919, 2369 and 8058. */
function headersOf(
  { unsubscribeUrl: page }: DigestView,
  domain: string,
  key: string,
  settings: MailSettings,
) {
  const { NOTIFICATIONS_IDEMPOTENCY_HEADER: idempotencyHeader } = settings;
  return {
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "List-Id": { prepared: true, value: `<notifications.${domain}>` },
    ...(page !== undefined && {
      "List-Unsubscribe": { prepared: true, value: `<${page}>` },
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }),
    ...(idempotencyHeader !== undefined && { [idempotencyHeader]: key }),
  };
}

/** Signed where there is a key. RSA with PKCS #1 v1.5, which gives the same for the same. */
async function signed(message: Buffer, settings: MailSettings): Promise<Buffer> {
  const { NOTIFICATIONS_DKIM_KEY: key } = settings;
  if (key === undefined) return message;
  const dkim = new DKIM({
    domainName: String(settings.NOTIFICATIONS_DKIM_DOMAIN),
    keySelector: String(settings.NOTIFICATIONS_DKIM_SELECTOR),
    privateKey: readPem(key),
  });
  return buffer(dkim.sign(message));
}
