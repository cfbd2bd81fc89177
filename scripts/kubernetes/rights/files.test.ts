/** What the role of an engine with files may do with engine.files, and what it may not. */
import { randomBytes } from "node:crypto";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase, type Pool } from "@tl-engine/shared/stores/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  forgetFiles,
  insertFile,
  keepFiles,
  knownKeys,
  markRemoved,
  takeStale,
} from "../../../shared/files/file-rows.ts";
import { migrate, readMigrations } from "../../../shared/stores/migrate.ts";
import { bucketCommands } from "./bucket.ts";
import { rightsOf } from "./statements.ts";

const random = randomBytes(5).toString("hex");
const engine = `keeper-${random}`;
const neighbour = `neighbour-${random}`;
const roleOf = (name: string) => `engine_${name.replaceAll("-", "_")}`;
const key = (name: string) => `engine/${engine}/out/j/r-1/${name}`;

const open = (databaseUrl: string) =>
  openDatabase({ databaseUrl, max: 1, name: "rights of files" }, createLog({}, "silent"));
let owner: Pool;
let client: Pool;
beforeAll(async () => {
  owner = open(String(process.env.DATABASE_URL));
  const migrating = await owner.connect();
  await migrate(migrating, await readMigrations());
  migrating.release();
  const { postgres } = rightsOf({
    ...{ engine, prefix: "engine", replyExchange: "", emits: [], schema: undefined },
    ...{ handlersUseRedis: false, keepsFiles: true },
  });
  await owner.query(`create role ${postgres.role} login password 'own'`);
  for (const statement of postgres.statements) await owner.query(statement);
  const url = new URL(String(process.env.DATABASE_URL));
  url.username = postgres.role;
  url.password = "own";
  client = open(url.href);
  await insertFile(owner, { engine: neighbour, key: "theirs", jobId: "j", expiresS: 60 });
});
afterAll(async () => {
  await client?.end();
  await owner.query("delete from engine.files where engine = any ($1)", [[engine, neighbour]]);
  await owner.query(`drop owned by ${roleOf(engine)}; drop role ${roleOf(engine)}`);
  await owner.end();
});

test("it does all that its runtime asks", async () => {
  await insertFile(client, { engine, key: key("a"), jobId: "j", expiresS: 60 });
  await insertFile(client, { engine, key: key("b"), jobId: "j", expiresS: 60 });
  expect(await keepFiles(client, engine, [key("a")])).toBe(1);
  expect(await knownKeys(client, engine, [key("a"), key("c")])).toEqual(new Set([key("a")]));
  expect(await markRemoved(client, engine, [key("a"), key("b")], "pending")).toEqual([key("b")]);
  expect(await takeStale(client, engine, 60, 10)).toEqual([{ key: key("b"), isExpired: false }]);
  await forgetFiles(client, engine, [key("a"), key("b")]);
  const { rows } = await client.query("select key from engine.files");
  // What is kept is forgotten by nobody, and another's is not seen.
  expect(rows).toEqual([{ key: key("a") }]);
});

test.each([
  [
    "write another's",
    () => insertFile(client, { engine: neighbour, key: "x", jobId: "j", expiresS: 1 }),
    /row-level security/,
  ],
  ["forget another's", () => forgetFiles(client, neighbour, ["theirs"]), /may not forget files/],
  ["delete its own rows", () => client.query("delete from engine.files"), /permission denied/],
  [
    "lock the table",
    () => client.query("begin; lock table engine.files in exclusive mode"),
    /permission denied/,
  ],
  [
    "give a file to another job",
    () => client.query("update engine.files set job_id = 'x'"),
    /permission denied/,
  ],
] as const)("it can't %s", async (_, attack, message) => {
  await expect(attack()).rejects.toThrow(message);
  await client.query("rollback");
});

test("it sees and changes nothing of another's", async () => {
  expect(await markRemoved(client, neighbour, ["theirs"])).toEqual([]);
  expect(await keepFiles(client, neighbour, ["theirs"])).toBe(0);
  expect(await takeStale(client, neighbour, 0, 10)).toEqual([]);
});

test("an engine without files has no right to the table", () => {
  const { postgres } = rightsOf({
    ...{ engine, prefix: "engine", replyExchange: "", emits: [], schema: undefined },
    handlersUseRedis: false,
  });
  expect(postgres.statements.join("\n")).not.toMatch(/engine\.files|forget_files/);
});

test("its key in the bucket ends at its prefix, and a publisher's only writes inputs", () => {
  const [, , own, inputs] = bucketCommands("engine", "exports").split("\n");
  expect(own).toContain("--name-prefix 'engine/exports/' 'engine-exports' ");
  expect(inputs).toMatch(
    /--name-prefix 'engine\/exports\/in\/' 'engine-exports-inputs' writeFiles$/,
  );
});
