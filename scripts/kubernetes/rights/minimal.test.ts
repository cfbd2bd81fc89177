/** No right is printed that its engine could do without: each one that an edit takes away makes something fail. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadWorkers } from "../../workers.ts";
import { sqlOf } from "./apply.ts";
import { conformanceSuites } from "./testing/conformance-suites.ts";
import { workInPostgres, workInRedis, workOnBroker } from "./testing/least-work.ts";
import { hasBrokerUsers, openRightsFleet, type RightsFleet } from "./testing/rights-fleet.ts";
import {
  revokes,
  withoutEachName,
  withoutEachRule,
  withoutHandlers,
} from "./testing/without-each.ts";

const workers = await loadWorkers();
const suites = await conformanceSuites(workers);

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

describe.runIf(hasBrokerUsers).each([
  ["the default exchange", () => ""],
  ["an exchange of their own", (prefix: string) => `${prefix}.replies`],
] as const)("with replies through %s", (_, replyExchangeOf) => {
  let stage: RightsFleet;
  beforeAll(async () => {
    stage = await openRightsFleet(replyExchangeOf);
  });
  afterAll(() => stage?.close());

  test.each(workers)("the broker's of $definition.name", async ({ definition }) => {
    const printed = stage.printed(definition.name);
    await expect(workOnBroker(stage, definition)).resolves.toBeUndefined();
    const edits = withoutEachName(printed);
    expect(edits.length).toBeGreaterThan(3);
    const needless: string[] = [];
    for (const { without, edited } of edits) {
      await stage.applyTo.broker(edited);
      if (await succeeds(workOnBroker(stage, definition))) needless.push(without);
    }
    await stage.applyTo.broker(printed);
    // LavinMQ's name for the default exchange.
    expect(needless).toEqual(stage.replyExchange === "" ? [""] : []);
  });
});

describe.runIf(hasBrokerUsers)("in the stores", () => {
  let stage: RightsFleet;
  beforeAll(async () => {
    stage = await openRightsFleet(() => "");
  });
  afterAll(() => stage?.close());

  test.each(workers)("Postgres' of $definition.name, on what all share", async (worker) => {
    const { name } = worker.definition;
    const role = new URL(stage.urlsOf(name).DATABASE_URL).username;
    const all = revokes(sqlOf(stage.printed(name)));
    const shared = all.filter((revoke) => !revoke.includes(`schema ${role}`));
    expect(shared.length).toBeGreaterThan(25);
    const needless: string[] = [];
    for (const revoke of ["", ...shared]) {
      const client = await stage.fleet.pool.connect();
      try {
        await client.query(`begin; ${revoke}; set local role ${role}`);
        if (await succeeds(workInPostgres(stage, client, worker))) needless.push(revoke);
      } finally {
        await client.query("rollback");
        client.release();
      }
    }
    // With all of them it works.
    expect(needless).toEqual([""]);
  });

  test.each(workers)("Redis' of $definition.name", async ({ definition }) => {
    const printed = stage.printed(definition.name);
    // What handlers may use is theirs to choose; of the scheduler's clock scheduler-clock.test.ts asks for it.
    const runtimes = withoutHandlers(printed);
    expect(runtimes === printed).toBe(definition.redis !== true);
    await stage.applyTo.redis(runtimes);
    await expect(workInRedis(stage, definition)).resolves.toBeUndefined();
    const edits = withoutEachRule(runtimes);
    expect(edits.length).toBeGreaterThan(8);
    const needless: string[] = [];
    for (const { without, edited } of edits) {
      await stage.applyTo.redis(edited);
      if (await succeeds(workInRedis(stage, definition))) needless.push(without);
    }
    await stage.applyTo.redis(printed);
    expect(needless).toEqual([]);
  });

  /** A worker starts and ends a job of each action that has an example, as soon as the suite's do. */
  async function runs({ definition }: (typeof suites)[number]): Promise<void> {
    const { fleet } = stage;
    const worker = await fleet.start(definition, stage.envOf(definition.name));
    try {
      // What an engine keeps, not all of its actions touch.
      const jobs = Object.entries(definition.actions).flatMap(([action, { examples = [] }]) =>
        examples.slice(0, 1).map(({ input }) => ({ action, input: input(1, fleet.names.prefix) })),
      );
      const ids = await Promise.all(
        jobs.map(({ action, input }) => fleet.publish(definition.name, action, input)),
      );
      const late = sleep(3_000, undefined).then(() => {
        throw new Error("no reply");
      });
      late.catch(() => {});
      for (const id of ids) {
        const { reply } = await Promise.race([fleet.reply(id), late]);
        // An engine's own no, such as to what is not there yet, takes all that a yes takes.
        const ended = reply.status === "succeeded" ? "succeeded" : reply.error.code;
        expect(["succeeded", "rejected"]).toContain(ended);
      }
    } finally {
      await worker.stop();
      await fleet.channel.purgeQueue(fleet.names.queue(definition.name));
    }
  }

  test.each(suites)("$definition.name does not run without one", async (suite) => {
    const { name } = suite.definition;
    const { pool } = stage.fleet;
    const printed = stage.printed(name);
    const role = new URL(stage.urlsOf(name).DATABASE_URL).username;
    const own = revokes(sqlOf(printed)).filter((revoke) => revoke.includes(`schema ${role}`));
    const [database] = (await pool.query("select current_database() as name")).rows;
    await expect(runs(suite)).resolves.toBeUndefined();
    for (const revoke of [...own, `revoke connect on database ${database.name} from ${role}`]) {
      await pool.query(revoke);
      await expect(runs(suite), revoke).rejects.toThrow();
      await pool.query(revoke.replace("revoke", "grant").replace(" from ", " to "));
    }
    await stage.applyTo.broker(printed.replace("|amq\\.default", ""));
    await expect(runs(suite), "no replies").rejects.toThrow("no reply");
    await stage.applyTo.broker(printed);
    await stage.applyTo.redis(printed.replace(" '+evalsha'", ""));
    await expect(runs(suite), "no scripts").rejects.toThrow(/evalsha/i);
    await stage.applyTo.redis(printed);
    await expect(runs(suite)).resolves.toBeUndefined();
  });

  test.each(workers)("tables of later migrations are $definition.name's, too", async (worker) => {
    const { name } = worker.definition;
    const { pool } = stage.fleet;
    const role = new URL(stage.urlsOf(name).DATABASE_URL).username;
    const printed = sqlOf(stage.printed(name));
    const [grant = ""] = /^alter default privileges .*$/m.exec(printed) ?? [];
    if (!printed.includes(`schema ${role}`)) return expect(grant).toBe("");
    const reads = async (table: string) => {
      await pool.query(`create table ${role}.${table} ()`);
      const { rows } = await pool.query("select has_table_privilege($1, $2, 'insert') as may", [
        role,
        `${role}.${table}`,
      ]);
      return rows[0].may;
    };
    expect(await reads("later")).toBe(true);
    await pool.query(grant.replace(" grant ", " revoke ").replace(" to ", " from "));
    expect(await reads("still_later")).toBe(false);
    await pool.query(grant);
  });
});
