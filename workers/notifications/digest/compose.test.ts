/** The bytes of a mail: its headers, its size, its signature, and that the same digest is the same bytes. */
import { createHash, createVerify, generateKeyPairSync } from "node:crypto";
import { simpleParser } from "mailparser";
import { describe, expect, test } from "vitest";
import { isAddress } from "./address.ts";
import { composeDigest, type Digest, MAX_MAIL_BYTES } from "./compose.ts";
import { shorten } from "./entry.ts";
import { entryOf, SAMPLE } from "./sample-entries.fixture.ts";
import { MailSettings } from "./settings.ts";
import { readToken } from "./token.ts";

const NOW = Date.parse("2026-05-05T08:20:00Z");
const SECRET = "s".repeat(40);
const settingsOf = (more: Record<string, string> = {}) =>
  MailSettings.parse({
    NOTIFICATIONS_SMTP_URL: "smtp://127.0.0.1:2525",
    NOTIFICATIONS_MAIL_FROM: "Tiendaleón <avisos@tl.example>",
    ...more,
  });
const LINKED = {
  NOTIFICATIONS_ISSUE_URL: "https://app.tl.example/{workspaceId}/browse/{issueKey}",
  NOTIFICATIONS_UNSUBSCRIBE_URL: "https://app.tl.example/unsubscribe?lang=es",
  NOTIFICATIONS_TOKEN_SECRETS: SECRET,
};
const DIGEST: Digest = {
  receiverId: "ines",
  dueMs: NOW,
  address: "ines@example.com",
  locale: "es",
  timeZone: "Europe/Madrid",
  entries: SAMPLE.map(shorten),
};
const compose = (digest: Partial<Digest> = {}, more = {}, nowMs = NOW) =>
  composeDigest({ ...DIGEST, ...digest }, settingsOf(more), nowMs);
const headerOf = (message: Buffer, name: string) =>
  new RegExp(`^${name}: ((?:.|\r\n[ \t])*)`, "im")
    .exec(message.toString("latin1"))?.[1]
    ?.replace(/\r\n[ \t]/g, " ");

test("one mailbox, one date, one id; no answer is asked for", async () => {
  const { message, messageId } = await compose();
  const mail = await simpleParser(message);
  expect(mail.from?.value).toEqual([{ name: "Tiendaleón", address: "avisos@tl.example" }]);
  expect(mail.messageId).toBe(messageId);
  expect(mail.date?.getTime()).toBe(NOW);
  expect(mail.subject).toBe("10 novedades en 4 elementos de trabajo");
  expect(mail.text).toContain("Estado: Por hacer → En curso");
  expect(mail.html).toContain("Ana Ñúñez");
  expect(headerOf(message, "To")).toBe("ines@example.com");
  expect(headerOf(message, "Auto-Submitted")).toBe("auto-generated");
  expect(headerOf(message, "List-Id")).toBe("<notifications.tl.example>");
  expect(headerOf(message, "X-Mailer")).toBeUndefined();
  expect(headerOf(message, "List-Unsubscribe")).toBeUndefined();
  expect(headerOf(message, "List-Unsubscribe-Post")).toBeUndefined();
});

test("one-click unsubscribing has both headers, with a token of the receiver's", async () => {
  const { message } = await compose({}, LINKED);
  expect(headerOf(message, "List-Unsubscribe-Post")).toBe("List-Unsubscribe=One-Click");
  const url = new URL(String(headerOf(message, "List-Unsubscribe")).replace(/^<|>$/g, ""));
  expect(url.origin + url.pathname).toBe("https://app.tl.example/unsubscribe");
  expect(url.searchParams.get("lang")).toBe("es");
  expect(readToken(String(url.searchParams.get("token")), [SECRET])).toBe("ines");
  const mail = await simpleParser(message);
  expect(mail.text).toContain(url.href);
  expect(mail.text).toContain("https://app.tl.example/w1/browse/TL-12\n");
});

test("optional headers: where answers go, and by what the relay knows a repeat", async () => {
  const { message, messageId } = await compose(
    {},
    {
      NOTIFICATIONS_MAIL_REPLY_TO: "soporte@tl.example",
      NOTIFICATIONS_IDEMPOTENCY_HEADER: "Resend-Idempotency-Key",
    },
  );
  expect(headerOf(message, "Reply-To")).toBe("soporte@tl.example");
  const key = headerOf(message, "Resend-Idempotency-Key");
  expect(messageId).toBe(`<digest.${key}@tl.example>`);
});

test("the same digest is the same bytes, another window's another mail", async () => {
  const [one, two, other] = await Promise.all([
    compose({}, LINKED),
    compose({}, LINKED),
    compose({ dueMs: NOW + 60_000 }, LINKED),
  ]);
  expect(one.message.equals(two.message)).toBe(true);
  expect(other.messageId).not.toBe(one.messageId);
});

test("a digest of 1,000 items is at most 100 kB, and says how many it leaves out", async () => {
  const long = "Ñandú 😀 título ".repeat(10);
  for (const [name, locale] of [
    ["Pay", "en"],
    [long, "es"],
  ] as const) {
    const entries = Array.from({ length: 1_000 }, (_, i) =>
      shorten(entryOf({ issueId: `i${i}`, issueKey: `TL-${i}`, issueName: name, newValue: name })),
    );
    const { message } = await compose({ entries, locale }, LINKED);
    expect(message.length).toBeLessThanOrEqual(MAX_MAIL_BYTES);
    expect(message.length).toBeGreaterThan(MAX_MAIL_BYTES * 0.6);
    const { text = "" } = await simpleParser(message);
    const shown = text.match(/^TL-\d+ /gm)?.length ?? 0;
    const left = Number(/(?:And|Y) (\d+) (?:more items|elementos más)/.exec(text)?.[1]);
    expect(shown + left).toBe(1_000);
    expect(shown).toBeGreaterThan(20);
  }
});

describe("DKIM", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const signed = {
    NOTIFICATIONS_DKIM_DOMAIN: "tl.example",
    NOTIFICATIONS_DKIM_SELECTOR: "tl1",
    NOTIFICATIONS_DKIM_KEY: pem.replaceAll("\n", "\\n"),
  };

  /** RFC 6376 with relaxed/relaxed, as any receiver checks it. */
  function verify(message: Buffer): { ok: boolean; headers: string[] } {
    const [head = "", ...bodies] = message.toString("latin1").split("\r\n\r\n");
    const fields = head.split(/\r\n(?![ \t])/).map((line) => {
      const colon = line.indexOf(":");
      const value = line
        .slice(colon + 1)
        .replace(/\r\n/g, "")
        .replace(/[ \t]+/g, " ")
        .trim();
      return { name: line.slice(0, colon).trim().toLowerCase(), value };
    });
    const signature = fields.find(({ name }) => name === "dkim-signature")?.value ?? "";
    const tags = Object.fromEntries(
      signature
        .split(";")
        .map((tag) => [
          tag.slice(0, tag.indexOf("=")).trim(),
          tag.slice(tag.indexOf("=") + 1).replace(/\s/g, ""),
        ]),
    );
    const body = bodies
      .join("\r\n\r\n")
      .replace(/[ \t]+(?=\r\n)/g, "")
      .replace(/[ \t]+/g, " ")
      .replace(/(\r\n)*$/, "\r\n");
    const bodyHash = createHash("sha256").update(body, "latin1").digest("base64");
    const headers = String(tags.h)
      .split(":")
      .map((name) => name.toLowerCase());
    const data = headers
      .map((name) => `${name}:${fields.findLast((field) => field.name === name)?.value ?? ""}\r\n`)
      .join("");
    const own = `dkim-signature:${signature.replace(/b=[^;]*$/, "b=")}`;
    const isSigned = createVerify("RSA-SHA256")
      .update(data + own, "latin1")
      .verify(publicKey, String(tags.b), "base64");
    return { ok: isSigned && bodyHash === tags.bh, headers };
  }

  test("the signature holds, and covers what one-click unsubscribing needs", async () => {
    const { message } = await compose({}, { ...LINKED, ...signed });
    const { ok, headers } = verify(message);
    expect(ok).toBe(true);
    expect(headers).toEqual(
      expect.arrayContaining([
        "from",
        "to",
        "date",
        "message-id",
        "subject",
        "list-unsubscribe",
        "list-unsubscribe-post",
      ]),
    );
    const changed = Buffer.from(message);
    const at = message.indexOf("Estado");
    changed.write("Estada", at);
    expect(at).toBeGreaterThan(0);
    const forged = Buffer.from(
      message.toString("latin1").replace(/^Date: /m, "Date: Mon"),
      "latin1",
    );
    expect([verify(changed).ok, verify(forged).ok]).toEqual([false, false]);
  });

  test("a signed digest is the same bytes each time", async () => {
    const [one, two] = await Promise.all([compose({}, signed), compose({}, signed)]);
    expect(one.message.equals(two.message)).toBe(true);
  });
});

describe("what would steer a header or a command", () => {
  test("a subject has one line, whatever an item is called", async () => {
    const name = "Pay\r\nBcc: all@example.com\u0000\r\n\r\nhello \u202efdp.exe";
    const { message } = await compose({ entries: [shorten(entryOf({ issueName: name }))] });
    const mail = await simpleParser(message);
    expect(mail.bcc).toBeUndefined();
    expect(mail.subject).toBe("TL-12 Pay Bcc: all@example.com hello fdp.exe: 1 novedad");
  });

  test("a receiver's id can't leave the token or the Message-ID", async () => {
    const receiverId = "x>\r\nBcc: a@b.example\r\n";
    const { message, messageId } = await compose({ receiverId }, LINKED);
    expect(messageId).toMatch(/^<digest\.[0-9a-f]{40}@tl\.example>$/);
    expect((await simpleParser(message)).bcc).toBeUndefined();
  });

  test.each([
    "a@example.com\r\nRCPT TO:<b@example.com>",
    "a@example.com\nBcc: b@example.com",
    "a\r@example.com",
    "a@example.com, b@example.com",
    "a b@example.com",
    "<a@example.com>",
    '"a b"@example.com',
    "a@[127.0.0.1]",
    "a@localhost",
    "@example.com",
    "a@",
    "a",
    "",
    "a@exa\u202emple.com",
    "a\u0000@example.com",
    `${"a".repeat(65)}@example.com`,
    `a@${"b".repeat(250)}.com`,
    "a@-example.com",
    "a@example..com",
    "group:a@example.com;",
    "a(comment)@example.com",
    "a@b@example.com",
  ])("no address: %j", (text) => {
    expect(isAddress(text)).toBe(false);
  });
  test.each([
    "a@example.com",
    "a.b+c@sub.example.co",
    "ñandú@españa.example",
    "a@xn--espaa-rta.example",
    "o'neill@example.ie",
  ])("an address: %s", (text) => {
    expect(isAddress(text)).toBe(true);
  });
});
