/** A mail server of the demo's own, which takes every mail and hands none on. */
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

export interface CaughtMail {
  messageId: string;
  to: string;
  message: string;
}

export interface MailCatcher extends AsyncDisposable {
  url: string;
  /** As they came; one that came again is there again. */
  mails: readonly CaughtMail[];
}

export async function openMailCatcher(): Promise<MailCatcher> {
  const mails: CaughtMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const message = Buffer.concat(chunks).toString("utf8");
        const [, messageId = ""] = /^Message-ID: (\S+)/im.exec(message) ?? [];
        mails.push({ messageId, to: String(session.envelope.rcptTo[0]?.address), message });
        callback();
      });
    },
  });
  // A connection that a worker drops is none of the demo's faults.
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The HTML of a mail, decoded; undefined where it has none. */
export function htmlOf(message: string): string | undefined {
  const at = message.search(/^Content-Type: text\/html/im);
  if (at === -1) return undefined;
  const part = message.slice(at);
  const [head = ""] = part.split(/\r?\n\r?\n/, 1);
  const boundary = /boundary="?([^"\r\n;]+)"?/i.exec(message)?.[1];
  const body = part.slice(head.length).trimStart();
  const end = boundary === undefined ? -1 : body.lastIndexOf(`--${boundary}`);
  const text = (end === -1 ? body : body.slice(0, end)).trimEnd();
  if (/base64/i.test(head)) return Buffer.from(text, "base64").toString("utf8");
  return /quoted-printable/i.test(head) ? fromQuotedPrintable(text) : text;
}

function fromQuotedPrintable(text: string): string {
  const joined = text.replace(/=[ \t]*\r?\n/g, "");
  const bytes = joined.replace(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
