/** Why a worker or a tool can't start with its Postgres, in words for whoever started it. */

import {
  explainReach,
  explainSilence,
  reachOf,
  type Server,
  startFailure,
} from "../process/reach.ts";
import { StartFailure } from "../process/start-failure.ts";
import { ChannelBindingMissing } from "../wire/channel-binding.ts";
import { isConnectTimeout, isNoTlsAnswer, isWithoutTls } from "./pg-insides.ts";
import { readTrouble } from "./trouble.ts";

const serverOf = (url: string): Server => ({
  part: "postgres",
  name: "Postgres",
  variable: "DATABASE_URL",
  url,
  defaultPort: 5432,
  plain: "?sslmode=disable",
  tls: "?sslmode=verify-full",
});

export function explainPostgres(error: unknown, databaseUrl: string): StartFailure {
  if (error instanceof StartFailure) return error;
  const server = serverOf(databaseUrl);
  const { syscall, path } = Object(error);
  if (syscall === "open")
    return startFailure(
      server,
      `can't be asked: DATABASE_URL names a file that can't be read, ${path}`,
      { temporary: false, cause: error },
    );
  const reach = reachOf(error);
  if (reach !== undefined) return explainReach(reach, server, error);
  const fail = (message: string, temporary = false) =>
    startFailure(server, message, { temporary, cause: error });
  if (!(error instanceof Error)) return fail("can't be used", true);
  if (isConnectTimeout(error)) return explainSilence(server, error);
  if (isWithoutTls(error)) return explainReach("no-tls", server, error);
  if (isNoTlsAnswer(error))
    return fail("is no Postgres: the port is another service's; check DATABASE_URL");
  if (error instanceof ChannelBindingMissing)
    return fail(
      `is not trusted: ${error.message}; find out who is there before you drop the parameter`,
    );
  if (/^SASL: .*password must be a/.test(error.message))
    return fail("asks for a password, and DATABASE_URL holds none");
  if (/^SASL: /.test(error.message))
    return fail("could not prove that it knows the password: somebody may sit in between");
  if (/^Connection terminated/.test(error.message)) return explainReach("broken", server, error);
  const { code } = error as { code?: unknown };
  const found = typeof code === "string" ? causeOf(code, error.message, databaseUrl) : undefined;
  const said = `${code === undefined ? "" : `${code} `}${redact(error.message, databaseUrl)}`;
  if (found !== undefined) return fail(`${found} (${said})`);
  return fail(`can't be used now (${said})`, readTrouble(error) === "outage");
}

/** What stands in a configuration, and no second start mends. */
function causeOf(code: string, message: string, databaseUrl: string): string | undefined {
  // Poolers have one code for all that they say.
  if (/unsupported startup parameter|unrecognized configuration parameter/i.test(message))
    return "refuses a start-up parameter: take it out of DATABASE_URL (everything after ?), or let the pooler ignore it (ignore_startup_parameters)";
  if (/no pg_hba\.conf entry.*(?:no encryption|SSL off)/i.test(message))
    return "wants TLS: add ?sslmode=verify-full to DATABASE_URL";
  if (code === "3D000" || /^no such database/i.test(message)) {
    const { pathname } = new URL(databaseUrl);
    return pathname.length > 1
      ? "has no such database: check the name after the last / of DATABASE_URL, or create it (createdb)"
      : "was asked for no database: add its name to DATABASE_URL (…/enginedb)";
  }
  if (
    code === "28P01" ||
    /^(?:SASL|password) authentication failed|no such user|Tenant or user not found/i.test(message)
  )
    return "refuses the login: check user and password in DATABASE_URL (special characters as %XX)";
  if (code.startsWith("28"))
    return "refuses the login: check the user in DATABASE_URL and the server's pg_hba.conf";
  if (/Endpoint ID is not specified/i.test(message))
    return "does not know for whom this is: use the host name that the provider gave, not its address";
  if (code === "42501") return 'does not give the user its rights: run what "make rights" prints';
  return undefined;
}

function redact(message: string, databaseUrl: string): string {
  const { password } = new URL(databaseUrl);
  const secrets = [password, decode(password)].filter((secret) => secret.length > 3);
  return secrets.reduce((text, secret) => text.replaceAll(secret, "***"), message);
}

/** A text with a % that encodes nothing stands as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
