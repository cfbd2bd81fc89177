/** The variables of the mail: what is wrong is refused at start, with what to do. */
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { MailSettings, readMailbox } from "./settings.ts";
import { readToken, signToken, unsubscribeUrl } from "./token.ts";

const SERVER = {
  NOTIFICATIONS_SMTP_URL: "smtps://user:hunter2@mail.example:465",
  NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
};
const problems = (given: Record<string, string>) =>
  MailSettings.safeParse(given).error?.issues.map(
    ({ path, message }) => `${path.join(".")} ${message}`,
  ) ?? [];

describe("settings", () => {
  test("none are needed", () => {
    expect(MailSettings.parse({})).toMatchObject({
      NOTIFICATIONS_SMTP_TLS: "required",
      NOTIFICATIONS_SMTP_CONNECTIONS: 4,
      NOTIFICATIONS_GIVE_UP_HOURS: 96,
    });
    expect(problems(SERVER)).toEqual([]);
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
  const ed = generateKeyPairSync("ed25519").privateKey;
  const pem = (key: typeof rsa) => key.export({ type: "pkcs8", format: "pem" }).toString();
  test.each<[string, Record<string, string>, RegExp]>([
    [
      "a server without a sender",
      { NOTIFICATIONS_SMTP_URL: "smtp://h" },
      /^NOTIFICATIONS_MAIL_FROM is needed/,
    ],
    [
      "a page without secrets",
      { NOTIFICATIONS_UNSUBSCRIBE_URL: "https://a.example" },
      /^NOTIFICATIONS_TOKEN_SECRETS is needed/,
    ],
    ["a short secret", { NOTIFICATIONS_TOKEN_SECRETS: `${"a".repeat(40)},short` }, /32 characters/],
    [
      "a DKIM domain alone",
      { NOTIFICATIONS_DKIM_DOMAIN: "tl.example" },
      /^NOTIFICATIONS_DKIM_SELECTOR is needed/,
    ],
    ["a DKIM key that is none", { NOTIFICATIONS_DKIM_KEY: "hunter2" }, /RSA private key/],
    ["a DKIM key of another kind", { NOTIFICATIONS_DKIM_KEY: pem(ed) }, /RSA private key/],
    [
      "a DKIM key alone",
      { NOTIFICATIONS_DKIM_KEY: pem(rsa) },
      /^NOTIFICATIONS_DKIM_DOMAIN is needed/,
    ],
    ["a server over HTTP", { NOTIFICATIONS_SMTP_URL: "https://mail.example" }, /smtp:/],
    [
      "a password in the open",
      {
        ...SERVER,
        NOTIFICATIONS_SMTP_URL: "smtp://u:p@mail.example",
        NOTIFICATIONS_SMTP_TLS: "optional",
      },
      /^NOTIFICATIONS_SMTP_TLS must be required/,
    ],
    [
      "a sender with a line break",
      { NOTIFICATIONS_MAIL_FROM: "a\r\nBcc: b@c.example <a@b.example>" },
      /must be an address/,
    ],
    [
      "a link with a quote",
      { NOTIFICATIONS_SETTINGS_URL: 'https://a.example/"' },
      /must hold neither/,
    ],
    ["a script for a link", { NOTIFICATIONS_SETTINGS_URL: "javascript:alert(1)" }, /must be a URL/],
    [
      "a placeholder that nobody fills",
      { NOTIFICATIONS_ISSUE_URL: "https://a.example/{slug}" },
      /knows only/,
    ],
    [
      "a placeholder that does not close",
      { NOTIFICATIONS_ISSUE_URL: "https://a.example/{issueId" },
      /knows only/,
    ],
    ["a header that is two", { NOTIFICATIONS_IDEMPOTENCY_HEADER: "X: 1\r\nY" }, /name of a header/],
    [
      "no connection at all",
      { NOTIFICATIONS_SMTP_CONNECTIONS: "0" },
      /NOTIFICATIONS_SMTP_CONNECTIONS/,
    ],
  ])("%s is refused, and no value repeated", (_, given, problem) => {
    const found = problems(given);
    expect(found.join("\n")).toMatch(problem);
    expect(found.join("\n")).not.toContain("hunter2");
  });

  test("on this machine a password may go in the open", () => {
    const NOTIFICATIONS_SMTP_URL = "smtp://u:p@127.0.0.1:2525";
    expect(problems({ ...SERVER, NOTIFICATIONS_SMTP_URL, NOTIFICATIONS_SMTP_TLS: "off" })).toEqual(
      [],
    );
  });

  test.each([
    ["a@b.example", { name: "", address: "a@b.example" }],
    ["Tienda León <a@b.example>", { name: "Tienda León", address: "a@b.example" }],
    [" <a@b.example> ", { name: "", address: "a@b.example" }],
    ["a b.example", undefined],
    ["A <a@b.example> <c@d.example>", undefined],
  ])("the sender %j", (text, mailbox) => {
    expect(readMailbox(text)).toEqual(mailbox);
  });
});

describe("tokens", () => {
  const [first, second] = ["a".repeat(32), "b".repeat(32)] as [string, string];

  test("say whose they are, also after the secret was changed", () => {
    for (const id of ["ines", "ñ.\n😀", "x".repeat(255)]) {
      expect(readToken(signToken(id, first), [first])).toBe(id);
      expect(readToken(signToken(id, first), [second, first])).toBe(id);
      expect(readToken(signToken(id, first), [second])).toBeUndefined();
    }
  });

  test("changed by one letter anywhere, they are none", () => {
    const token = signToken("ines", first);
    for (let i = 0; i < token.length; i++) {
      const letter = token[i] === "A" ? "B" : "A";
      const changed = token.slice(0, i) + letter + token.slice(i + 1);
      // The last letter of base64 has bits that nothing reads.
      const isSame = Buffer.from(changed.split(".")[1] ?? "", "base64url").equals(
        Buffer.from(token.split(".")[1] ?? "", "base64url"),
      );
      if (!isSame || i < token.indexOf(".")) expect(readToken(changed, [first])).toBeUndefined();
    }
  });

  test.each([
    "",
    ".",
    "a",
    "a.b",
    "a.b.c",
    `${"a".repeat(3_000)}.b`,
    "\u0000.\u0000",
    `${signToken("x", first)}.more`,
  ])("%j is none", (text) => {
    expect(readToken(text, [first])).toBeUndefined();
  });

  test("the page keeps its own parameters", () => {
    expect(unsubscribeUrl("https://a.example/u?x=1#f", "t.k")).toBe(
      "https://a.example/u?x=1&token=t.k#f",
    );
  });
});
