/** A Postgres that answers "no" is an outage: the worker waits, burns no attempt, and goes on by itself. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refuses, startFakePostgres } from "../testing/fake-postgres.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { PROBE_LEDGER, probe } from "../testing/probe-engine.ts";
import { type ServiceProxy, startProxy } from "../testing/proxy.ts";
import type { RunningWorker } from "../worker.ts";

let fleet: TestFleet;
let worker: RunningWorker;
/** Leads to `target`, which a test may change, as a pooler that loses its server. */
let proxy: ServiceProxy;
const target = { host: "127.0.0.1", port: 0 };
/** Connects as a superuser, by the direct way. */
let admin: pg.Pool;
const role = `outage_${randomBytes(4).toString("hex")}`;
const JOBS = 10;

beforeAll(async () => {
  const url = new URL(String(process.env.DATABASE_URL));
  Object.assign(target, { host: url.hostname, port: Number(url.port || 5432) });
  // Before the fleet, which looks for what it leaves open.
  proxy = await startProxy(target);
  admin = new pg.Pool({ connectionString: url.href, max: 1 });
  await admin.query(PROBE_LEDGER);
  await admin.query(`create role ${role} login superuser`);
  fleet = await openTestFleet([probe]);
  url.username = role;
  Object.assign(url, { hostname: "127.0.0.1", port: String(proxy.port) });
  worker = await fleet.start(probe, { DATABASE_URL: url.href });
});
afterAll(async () => {
  // Before the fleet, which looks for what is left open: none of this is its.
  await worker?.stop();
  await proxy?.close();
  await admin.query(`drop owned by ${role}`);
  await admin.query(`drop role ${role}`);
  await admin.end();
  await fleet?.close();
});

/** As a failover does: who is connected loses the connection, and meets the change with the next one. */
async function change(statement: string): Promise<void> {
  await admin.query(statement);
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [
    role,
  ]);
}

const isReady = () => worker.notReady() === undefined;

const NOES: [string, string, string][] = [
  [
    "read-only",
    `alter role ${role} set default_transaction_read_only = on`,
    `alter role ${role} reset default_transaction_read_only`,
  ],
  ["refusing the login", `alter role ${role} nologin`, `alter role ${role} login`],
  [
    "without the right to insert",
    `alter role ${role} nosuperuser; grant usage on schema engine, engine_probe to ${role}; grant select on engine.results, engine.migrations to ${role}; grant all on engine_probe.ledger to ${role}`,
    `alter role ${role} superuser`,
  ],
  [
    "short of connections",
    `alter role ${role} nosuperuser connection limit 0`,
    `alter role ${role} superuser connection limit -1`,
  ],
];

/** Own writes, then results that commit in groups: attempts stay at 1, and the worker is not ready meanwhile. */
async function survives(break_: () => Promise<unknown>, mend: () => Promise<unknown>) {
  for (const input of [{ do: "own-writes", value: "w" }, {}]) {
    await expect.poll(isReady, { timeout: 30_000 }).toBe(true);
    await break_();
    const publish = () => fleet.publish("probe", "run", input);
    const ids = await Promise.all(Array.from({ length: JOBS }, publish));
    await expect.poll(isReady, { timeout: 30_000 }).toBe(false);
    // Long enough for several tries, none of which may count.
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(isReady()).toBe(false);
    }
    await mend();
    for (const id of ids) {
      const { reply } = await fleet.reply(id);
      expect(reply).toMatchObject({ status: "succeeded", output: { attempt: 1 } });
      expect(await fleet.rows(id)).toMatchObject([{ attempt: 1, status: "succeeded" }]);
    }
  }
  expect(await fleet.deadLetters("probe")).toEqual([]);
}

test.each(NOES)("while Postgres is %s", (_name, break_, mend) =>
  survives(
    () => change(break_),
    () => change(mend),
  ),
);

test.each([
  ["XX000", "Couldn't connect to compute node"],
  ["08P01", "pgbouncer cannot connect to server"],
])("while a pooler answers %s %s", async (code, text) => {
  const pooler = await startFakePostgres(refuses(code, text));
  const { port } = target;
  const leadTo = async (other: number) => {
    target.port = other;
    proxy.reset();
  };
  try {
    await survives(
      () => leadTo(Number(new URL(pooler.url).port)),
      () => leadTo(port),
    );
  } finally {
    await pooler.close();
  }
});

test("at start Postgres must be there; Redis need not", async () => {
  const nowhere = (url: string) => Object.assign(new URL(url), { port: "1" }).href;
  await expect(
    fleet.start(probe, { DATABASE_URL: nowhere(fleet.config.DATABASE_URL) }),
  ).rejects.toMatchObject({ name: "StartFailure", part: "postgres", temporary: true });
  const other = await fleet.start(probe, { REDIS_URL: nowhere(fleet.config.REDIS_URL) });
  expect(other.notReady()).toBeUndefined();
});
