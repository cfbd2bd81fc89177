/** Reads what `make rights` prints, and does it on servers that are to be had for ourselves: in a test, in a demo. */
import { createHash } from "node:crypto";
import { vhostOf } from "@tl-engine/shared/broker/address";
import { ask } from "@tl-engine/shared/broker/management";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { openRedis } from "@tl-engine/shared/stores/redis";

/** A command that is printed and not understood here, so that nothing is left out silently. */
export class UnknownCommand extends Error {
  override readonly name = "UnknownCommand";
}

/** The same address as another user. */
export function urlAs(url: string, user: string, password: string): string {
  const given = new URL(url);
  given.username = user;
  given.password = password;
  return given.href;
}

/** Words of a line of shell: what is between single quotes is one, as it stands. */
const wordsOf = (line: string): string[] =>
  Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? "");

const linesWith = (printed: string, command: string): string[][] =>
  printed
    .split("\n")
    .filter((line) => line.startsWith(`${command} `))
    .map((line) => wordsOf(line).slice(1));

export interface Broker {
  amqpUrl: string;
  /** With a user who may make users. */
  managementUrl: string;
}

/** Does what the lines for `rabbitmqctl` say, by the management API, in the vhost of the URL. */
export async function applyToBroker(
  printed: string,
  { amqpUrl, managementUrl }: Broker,
  password: string,
): Promise<void> {
  const vhost = vhostOf(amqpUrl);
  for (const [command, ...words] of linesWith(printed, "rabbitmqctl")) {
    if (command === "add_user") {
      await ask(managementUrl, "PUT", ["users", String(words[0])], { password, tags: "" });
      continue;
    }
    const [, , user = "", ...rights] = words;
    if (command === "set_permissions") {
      const [configure, write, read] = rights;
      const body = { configure, write, read };
      await ask(managementUrl, "PUT", ["permissions", vhost, user], body);
    } else if (command === "set_topic_permissions") {
      const [exchange, write, read] = rights;
      const body = { exchange, write, read };
      await ask(managementUrl, "PUT", ["topic-permissions", vhost, user], body);
    } else throw new UnknownCommand(`rabbitmqctl ${command}`);
  }
}

/** Does what the line for `redis-cli` says, as the user of the URL. */
export async function applyToRedis(
  printed: string,
  redisUrl: string,
  password: string,
): Promise<void> {
  const redis = openRedis(redisUrl, createLog({}, "silent"), { enableOfflineQueue: true });
  try {
    for (const words of linesWith(printed, "redis-cli")) {
      const rules = words.slice(
        0,
        words.findIndex((word) => word.startsWith('"#')),
      );
      const sha256 = createHash("sha256").update(password).digest("hex");
      await redis.call(String(rules[0]), ...rules.slice(1), `#${sha256}`);
    }
  } finally {
    redis.disconnect();
  }
}

/** The SQL, up to the part for Redis. */
export const sqlOf = (printed: string): string =>
  /^(-- Postgres.*?)^# Redis/ms.exec(printed)?.[1] ?? "";

/** Does what psql would, as the user of the URL, who must own the database. */
export async function applyToPostgres(
  printed: string,
  databaseUrl: string,
  password: string,
): Promise<void> {
  const sql = sqlOf(printed).replace(
    /^\\password (.+)$/m,
    (_, role: string) => `alter role ${role} password '${password}';`,
  );
  if (/^\\/m.test(sql)) throw new UnknownCommand("a command of psql's own");
  const pool = openDatabase({ databaseUrl, max: 1, name: "rights" }, createLog({}, "silent"));
  try {
    await pool.query(sql);
  } finally {
    await pool.end();
  }
}
