/** channel_binding=require: what a server that doesn't bind is told, by workers and by callers. */
import pino from "pino";
import { expect, test } from "vitest";
import { Results } from "../client/results.ts";
import {
  ASKS_CLEARTEXT,
  ASKS_MD5,
  asksSasl,
  LETS_IN,
  message,
  startFakePostgres,
} from "../testing/fake-postgres.ts";
import { openDatabase } from "./database.ts";

const log = pino({ level: "silent" });

const asWorker = async (databaseUrl: string) => {
  const pool = openDatabase({ databaseUrl, max: 1, name: "test" }, log);
  return pool.query("select 1").finally(() => pool.end());
};
const asCaller = async (databaseUrl: string) => {
  const results = await Results.open(databaseUrl, undefined, () => {});
  return results.get("probe", "id").finally(() => results.close());
};

const GREETINGS: [string, Buffer][] = [
  ["the password in clear", ASKS_CLEARTEXT],
  ["an MD5 of the password", ASKS_MD5],
  ["SCRAM without binding", asksSasl("SCRAM-SHA-256")],
  ["nothing", LETS_IN],
  ["nothing, without even saying so", message("Z", Buffer.from("I"))],
];

for (const [who, connect] of [
  ["a worker", asWorker],
  ["a caller", asCaller],
] as const)
  test.each(GREETINGS)(`${who} sends nothing to a server that asks for %s`, async (_, greeting) => {
    const server = await startFakePostgres(greeting);
    try {
      await expect(connect(`${server.url}?channel_binding=require`)).rejects.toMatchObject({
        name: "ChannelBindingMissing",
        message: expect.not.stringContaining("hunter2"),
      });
      await expect.poll(server.connections).toBe(0);
      expect(Buffer.concat(server.sent).toString()).toBe("");
    } finally {
      await server.close();
    }
  });

test("without the parameter the password goes where it is asked for", async () => {
  const server = await startFakePostgres(ASKS_CLEARTEXT);
  const pool = openDatabase({ databaseUrl: server.url, max: 1, name: "test" }, log);
  const asked = pool.query("select 1").catch(() => {});
  await expect.poll(() => Buffer.concat(server.sent).toString()).toContain("hunter2");
  await server.close();
  await asked;
  await pool.end();
});
