/** A real SMTP server for tests, which remembers every mail that it took and can be told to fail. */
import { createHash } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import { SMTPServer } from "smtp-server";

/** A mail that the server has, whatever the client made of its answer. */
export interface Witnessed {
  messageId: string;
  sha256: string;
  to: string;
  message: Buffer;
  atMs: number;
}

/** What the server does to a mail; each may wait, throw an answer, or cut. */
export interface Manners {
  rcpt?(address: string): Promise<void> | void;
  /** It has the mail by then, and the client no answer yet. */
  taken?(mail: Witnessed, cut: () => void): Promise<void> | void;
  /** The whole server, before the first command. */
  connect?(): Promise<void> | void;
}

/** An answer such as 550, as the server gives it. */
export class SmtpAnswer extends Error {
  readonly responseCode: number;
  constructor(responseCode: number, text: string) {
    super(text);
    this.responseCode = responseCode;
  }
}

export interface MailWitness {
  port: number;
  url: string;
  mails: Witnessed[];
  manners: Manners;
  /** Connections that were made, in all. */
  readonly connections: number;
  close(): Promise<void>;
}

export async function openMailWitness(options: object = {}): Promise<MailWitness> {
  const mails: Witnessed[] = [];
  const witness = { mails, manners: {} as Manners, connections: 0 };
  const sockets = new Map<string, Socket>();
  const answer = (work: () => Promise<void> | void, callback: (error?: Error | null) => void) =>
    void Promise.resolve()
      .then(work)
      .then(() => callback(), callback);
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    onConnect(_session, callback) {
      witness.connections++;
      answer(() => witness.manners.connect?.(), callback);
    },
    onRcptTo({ address }, _session, callback) {
      answer(() => witness.manners.rcpt?.(address), callback);
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const message = Buffer.concat(chunks);
        const mail = witnessed(message, String(session.envelope.rcptTo[0]?.address));
        const cut = () => sockets.get(`${session.remoteAddress}:${session.remotePort}`)?.destroy();
        mails.push(mail);
        answer(() => witness.manners.taken?.(mail, cut), callback);
      });
    },
    ...options,
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.server.on("connection", (socket) => {
    const key = `${socket.remoteAddress}:${socket.remotePort}`;
    sockets.set(key, socket);
    socket.on("close", () => sockets.delete(key));
  });
  const { port } = server.server.address() as AddressInfo;
  return Object.assign(witness, {
    port,
    url: `smtp://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets.values()) socket.destroy();
        server.close(() => resolve());
      }),
  });
}

function witnessed(message: Buffer, to: string): Witnessed {
  const [, messageId = ""] = /^Message-ID: (\S+)/im.exec(message.toString("latin1")) ?? [];
  const sha256 = createHash("sha256").update(message).digest("hex");
  return { messageId, sha256, to, message, atMs: Date.now() };
}
