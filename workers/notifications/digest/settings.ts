/** The variables of the mail: without NOTIFICATIONS_SMTP_URL the engine sends none, and keeps none to send later. */
import { createPrivateKey } from "node:crypto";
import { z } from "zod";
import { isAddress } from "./address.ts";

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`,
  });
/** A link in a mail; its placeholders are filled in, so they are no part of what must be a URL. */
const link = url("https:", "http:").refine((text) => !/[\s<>"\\^`\p{Cc}]/u.test(text), {
  error: 'must hold neither spaces nor any of < > " \\ ^ `',
});
const PLACEHOLDERS = new Set(["{workspaceId}", "{projectId}", "{issueId}", "{issueKey}"]);
const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** `Tiendaleón <avisos@example.com>`, or the address alone. */
const FROM = /^(?:(?<name>[^<>"\p{Cc}]*?)\s*<(?<inBrackets>[^<>\s]+)>|(?<alone>[^<>\s]+))$/u;
export function readMailbox(text: string): { name: string; address: string } | undefined {
  const groups = FROM.exec(text.trim())?.groups;
  const address = groups?.inBrackets ?? groups?.alone ?? "";
  return isAddress(address) ? { name: groups?.name?.trim() ?? "", address } : undefined;
}
const mailbox = z.string().refine((text) => readMailbox(text) !== undefined, {
  error: "must be an address, or `Name <address>` without quotes",
});

/** PEM on one line, as a variable often has to be, has \n for its line breaks. */
export const readPem = (text: string) => text.replaceAll("\\n", "\n");
function isRsaKey(text: string): boolean {
  try {
    return createPrivateKey(readPem(text)).asymmetricKeyType === "rsa";
  } catch {
    return false;
  }
}

export const readSecrets = (text: string) => text.split(",").map((secret) => secret.trim());
const MIN_SECRET = 32;

const Variables = z.object({
  NOTIFICATIONS_SMTP_URL: url("smtp:", "smtps:")
    .optional()
    .describe(
      "Server that takes the mails, as `smtps://user:password@host:465` or `smtp://…:587`; without it notifications are told of, and no mail is sent or kept",
    ),
  NOTIFICATIONS_SMTP_TLS: z
    .enum(["required", "optional", "off"])
    .default("required")
    .describe(
      "Of smtp://: required ends a session that can't be encrypted, optional encrypts where the server offers it, off never does",
    ),
  NOTIFICATIONS_SMTP_CONNECTIONS: whole(1, 100)
    .default(4)
    .describe(
      "Connections to it of one worker; a worker that is killed repeats at most as many mails",
    ),
  NOTIFICATIONS_SMTP_MAILS_PER_SECOND: whole(0, 10_000)
    .default(0)
    .describe("Mails a second that one worker sends at most; 0 = as many as the server takes"),
  NOTIFICATIONS_MAIL_FROM: mailbox
    .optional()
    .describe("Sender, `Tiendaleón <avisos@example.com>`; needed beside the server"),
  NOTIFICATIONS_MAIL_REPLY_TO: mailbox.optional().describe("Where answers go; default: the sender"),
  NOTIFICATIONS_ISSUE_URL: link
    .refine((text) => (text.match(/\{[^}]*\}?/g) ?? []).every((name) => PLACEHOLDERS.has(name)), {
      error: `knows only ${[...PLACEHOLDERS].join(", ")}`,
    })
    .optional()
    .describe(
      "Page of a work item, with {workspaceId}, {projectId}, {issueId} and {issueKey}; without it mails have no links to items",
    ),
  NOTIFICATIONS_SETTINGS_URL: link
    .optional()
    .describe("Page where a person changes what is mailed to them"),
  NOTIFICATIONS_UNSUBSCRIBE_URL: link
    .optional()
    .describe(
      "Page that takes the one-click POST and publishes `unsubscribe`; the token is added as ?token=",
    ),
  NOTIFICATIONS_TOKEN_SECRETS: z
    .string()
    .refine((text) => readSecrets(text).every((secret) => secret.length >= MIN_SECRET), {
      error: `must be secrets of ${MIN_SECRET} characters or more, with commas`,
    })
    .optional()
    .describe(
      "Secrets of the unsubscribe tokens, with commas: the first signs, all are believed; needed beside that page",
    ),
  NOTIFICATIONS_DKIM_DOMAIN: z
    .string()
    .regex(HOST, { error: "must be a host name" })
    .optional()
    .describe("Domain that signs the mails, where the server does not; with selector and key"),
  NOTIFICATIONS_DKIM_SELECTOR: z
    .string()
    .regex(HOST, { error: "must be a host name's part" })
    .optional()
    .describe("Selector of its key in DNS"),
  NOTIFICATIONS_DKIM_KEY: z
    .string()
    .refine(isRsaKey, {
      error: "must be an RSA private key in PEM; \\n may stand for its line breaks",
    })
    .optional()
    .describe("Its private key, RSA in PEM: a secret"),
  NOTIFICATIONS_IDEMPOTENCY_HEADER: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,60}$/, { error: "must be the name of a header" })
    .optional()
    .describe(
      "Header by which the server knows a mail that it has already, such as Resend-Idempotency-Key",
    ),
  NOTIFICATIONS_GIVE_UP_HOURS: whole(1, 720)
    .default(96)
    .describe(
      "Hours after which a mail that the server keeps putting off is given up, and said so",
    ),
  NOTIFICATIONS_MAIL_RETENTION_DAYS: whole(2, 3_650)
    .default(30)
    .describe("Days after which what is known of a mail is removed"),
});

/** Each pair: who gives the first must give the second. */
const NEEDS = [
  ["NOTIFICATIONS_SMTP_URL", "NOTIFICATIONS_MAIL_FROM"],
  ["NOTIFICATIONS_UNSUBSCRIBE_URL", "NOTIFICATIONS_TOKEN_SECRETS"],
  ["NOTIFICATIONS_DKIM_DOMAIN", "NOTIFICATIONS_DKIM_SELECTOR"],
  ["NOTIFICATIONS_DKIM_DOMAIN", "NOTIFICATIONS_DKIM_KEY"],
  ["NOTIFICATIONS_DKIM_SELECTOR", "NOTIFICATIONS_DKIM_DOMAIN"],
  ["NOTIFICATIONS_DKIM_KEY", "NOTIFICATIONS_DKIM_DOMAIN"],
] as const;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export const MailSettings = Variables.superRefine((settings, context) => {
  const fail = (name: string, message: string) =>
    context.addIssue({ code: "custom", path: [name], message });
  for (const [given, needed] of NEEDS)
    if (settings[given] !== undefined && settings[needed] === undefined)
      fail(needed, `is needed beside ${given}`);
  const { NOTIFICATIONS_SMTP_URL: server, NOTIFICATIONS_SMTP_TLS: tls } = settings;
  if (server === undefined) return;
  const { protocol, username, hostname } = new URL(server);
  if (username !== "" && protocol === "smtp:" && tls !== "required" && !LOOPBACK.test(hostname))
    fail(
      "NOTIFICATIONS_SMTP_TLS",
      "must be required: the URL has a password, which would go out readable",
    );
});
export type MailSettings = z.output<typeof Variables>;
