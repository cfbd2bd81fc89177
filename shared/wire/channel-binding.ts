/** `channel_binding=require` of a Postgres URL, which node-postgres overlooks. */

/** The URL asks for channel binding and the server did not use it: somebody may sit in between. */
export class ChannelBindingMissing extends Error {
  override readonly name = "ChannelBindingMissing";
}

/** The URL without the parameter, and whether it asked for binding. */
export function readChannelBinding(databaseUrl: string): { url: string; required: boolean } {
  const url = new URL(databaseUrl);
  const required = url.searchParams.getAll("channel_binding").includes("require");
  url.searchParams.delete("channel_binding");
  return { url: url.href, required };
}

interface Connection {
  emit(event: string, ...args: unknown[]): boolean;
  stream: { destroy(): void };
}

/** pg's `Client`, or any class that is built the same. */
// biome-ignore lint/suspicious/noExplicitAny: what TypeScript asks of a class that is extended.
export type ClientClass = new (...args: any[]) => object;

const BOUND = "SCRAM-SHA-256-PLUS";

/**
 * A client that answers nothing but a bound handshake. It looks at each message of the server before pg does, since
 * pg answers at once: to AuthenticationCleartextPassword, with the password. Nothing but the user's and the
 * database's names has been sent by then.
 */
export function boundClient<Class extends ClientClass>(Client: Class): Class {
  return class extends Client {
    // biome-ignore lint/suspicious/noExplicitAny: see ClientClass.
    constructor(...args: any[]) {
      super(...args);
      const { connection } = this as unknown as { connection?: Connection };
      if (typeof connection?.emit !== "function")
        throw new TypeError(
          "this release of pg has no client.connection: channel_binding=require can't be kept",
        );
      guard(connection);
    }
  };
}

function guard(connection: Connection): void {
  const emit = connection.emit.bind(connection);
  let verified = false;
  let failed = false;
  connection.emit = (event, ...args) => {
    if (verified) return emit(event, ...args);
    const found = unbound(event, args[0]);
    if (found !== undefined && !failed) {
      failed = true;
      const refusal = `the URL requires channel binding, and the server ${found}: somebody may sit in between`;
      emit("error", new ChannelBindingMissing(refusal));
      connection.stream.destroy();
    }
    if (event === "error" || event === "errorMessage") failed = true;
    // After a failure nothing more that the server says is heard.
    else if (failed && event !== "end") return false;
    const heard = emit(event, ...args);
    // pg checked the server's signature, which proves that it knows the password too, and told if it is wrong.
    if (event === "authenticationSASLFinal") verified = !failed;
    return heard;
  };
}

/** What is wrong with a message that comes before the server has proved itself. */
function unbound(event: string, message: unknown): string | undefined {
  switch (event) {
    case "authenticationCleartextPassword":
      return "asks for the password in clear";
    case "authenticationMD5Password":
      return "asks for an MD5 of the password";
    case "authenticationSASL": {
      const { mechanisms } = message as { mechanisms: string[] };
      return mechanisms.includes(BOUND) ? undefined : "does not offer it";
    }
    case "authenticationOk":
    case "readyForQuery":
      return "let us in without it";
    default:
      return undefined;
  }
}
