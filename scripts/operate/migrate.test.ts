/** `make migrate` says in one line why it could not, and by its exit status whether to try again. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("./migrate.ts", import.meta.url));

async function run(databaseUrl: string) {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, stdout, stderr };
}

const at = (change: Partial<URL>) =>
  Object.assign(new URL(String(process.env.DATABASE_URL)), change).href;

test("all have run", async () => {
  expect(await run(at({}))).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/^migrate: ran=\d+/),
  });
});

test.each([
  ["nobody listens", { port: "1" }, 1, /^Postgres \(DATABASE_URL, .*does not answer.*\n$/],
  ["no such database", { pathname: "/nope" }, 2, /^Postgres \(DATABASE_URL, .*createdb.*\n$/],
])("%s", async (_name, change, code, message) => {
  expect(await run(at(change))).toEqual({
    code,
    stdout: "",
    stderr: expect.stringMatching(message),
  });
});

test("a user who may not, and a database that takes no writes", async () => {
  const log = createLog({}, "silent");
  const admin = openDatabase({ databaseUrl: at({}), max: 1, name: "test" }, log);
  const role = "may_not_migrate";
  await admin.query(`drop role if exists ${role}`);
  await admin.query(`create role ${role} login`);
  try {
    const user = at({ username: role });
    expect(await run(user)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^Postgres .*as the owner of the schema\n$/),
    });
    await admin.query(`alter role ${role} set default_transaction_read_only = on`);
    expect(await run(user)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Postgres .*25006.*run it again\n$/),
    });
  } finally {
    await admin.query(`drop role ${role}`);
    await admin.end();
  }
});
