/** Makes the bytes of a digest: the same window and content give the same mail, to the last byte. */
import { createHash } from "node:crypto";
import { createTransport } from "nodemailer";
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
  const info = await transportOf(settings).sendMail({
    from,
    to: { name: "", address },
    ...(replyTo !== undefined && { replyTo: readMailbox(replyTo) }),
    subject: cleanText(view.subject, MAX_SUBJECT),
    text: renderText(view, shown),
    html: renderHtml(view, shown),
    messageId,
    date: new Date(nowMs),
    baseBoundary: key,
    headers: headersOf(view, domain, key, settings),
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { messageId, message: info.message as Buffer };
}

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

type Composer = ReturnType<typeof createTransport>;
const composers = new WeakMap<MailSettings, Composer>();

/** It sends nothing: it gives the bytes back, signed where there is a key. */
function transportOf(settings: MailSettings): Composer {
  const kept = composers.get(settings);
  if (kept !== undefined) return kept;
  const { NOTIFICATIONS_DKIM_KEY: key } = settings;
  const made = createTransport({
    streamTransport: true,
    buffer: true,
    newline: "windows",
    ...(key !== undefined && {
      dkim: {
        domainName: String(settings.NOTIFICATIONS_DKIM_DOMAIN),
        keySelector: String(settings.NOTIFICATIONS_DKIM_SELECTOR),
        privateKey: readPem(key),
      },
    }),
  });
  composers.set(settings, made as Composer);
  return made as Composer;
}
