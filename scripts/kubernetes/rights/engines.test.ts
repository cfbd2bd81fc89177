/** Every engine works under the Postgres role that `make rights` prints: jobs, replays, burials, purge, and locks. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "@tl-engine/shared/process/log";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { WorkerDefinition } from "../../../shared/engine/define-worker.ts";
import type { TestFleet } from "../../../shared/testing/fleet.ts";
import { HEADERS } from "../../../shared/wire/headers.ts";
import type { RunningWorker } from "../../../shared/worker.ts";
import { triedJobs } from "../../images/try-image/sample-jobs.ts";
import { loadWorkers } from "../../workers.ts";
import { openRoleFleet, type RoleFleet } from "./testing/role-fleet.ts";

const workers = await loadWorkers();
let roles: RoleFleet;
let fleet: TestFleet;
beforeAll(async () => {
  roles = await openRoleFleet();
  fleet = roles.fleet;
});
afterAll(() => roles?.close());

/** A worker under its role, which purges after its first job. */
async function start(
  { name, ...definition }: WorkerDefinition,
  log = createLog({}, "silent"),
): Promise<RunningWorker> {
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  // Other tests' items, which are in the same table, are younger.
  const env = { DATABASE_URL: roles.urlOf(name), ANALYTICS_RETENTION_MONTHS: "240" };
  try {
    return await fleet.start({ name, ...definition }, env, { log });
  } finally {
    random.mockRestore();
  }
}

/** Waits until the purge took an old row of the engine, and looks that it left the others. */
async function purges(engine: string, ids: { old: string; young: string; other: string }) {
  await fleet.until(`the purge of ${engine}`, async () =>
    (await roles.statusOf(ids.old)) === undefined ? true : undefined,
  );
  expect([await roles.statusOf(ids.young), await roles.statusOf(ids.other)]).toEqual([
    "failed",
    "failed",
  ]);
}

const rowsToPurge = async (engine: string) => ({
  old: await roles.insertRow(engine, "failed", 40),
  young: await roles.insertRow(engine, "failed", 20),
  other: await roles.insertRow("neighbour", "failed", 40),
});

describe.each(workers.filter(({ definition }) => Object.keys(definition.actions).length > 0))(
  "$definition.name under its role",
  async ({ definition }) => {
    const { name } = definition;
    const { action, input } = await triedJobs(definition, {});

    test("answers, replays a failure, and purges", async () => {
      const ids = await rowsToPurge(name);
      const worker = await start(definition);
      const late = { headers: { [HEADERS.deadline]: Date.now() - 1_000 } };
      const id = await fleet.publish(name, action, input(0), late);
      expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
      const again = { messageId: id, headers: { [HEADERS.replay]: 1 } };
      await fleet.publish(name, action, input(0), again);
      expect((await fleet.reply(id, 2)).reply).toMatchObject({ status: "succeeded" });
      expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", generation: 1 }]);
      await purges(name, ids);
      await worker.stop();
    });

    test("waits out a lock on the whole table: no attempt, no outage, and the log tells", async () => {
      const lines: { msg: string }[] = [];
      const log = createLog({}, "info", { write: (line) => lines.push(JSON.parse(line)) });
      const worker = await start(definition, log);
      const locker = await fleet.pool.connect();
      const jobs: string[] = [];
      try {
        await locker.query("begin; lock table engine.results in access exclusive mode");
        for (let n = 0; n < 30; n++) jobs.push(await fleet.publish(name, action, input(n)));
        await sleep(5_000);
        expect(worker.notReady()).toBeUndefined();
        expect(lines.filter(({ msg }) => msg.includes("has locked engine.results"))).toHaveLength(
          1,
        );
      } finally {
        await locker.query("rollback");
        locker.release();
      }
      const unlockedAtMs = performance.now();
      for (const id of jobs)
        expect((await fleet.reply(id)).reply).toEqual({
          status: "succeeded",
          output: expect.anything(),
        });
      // Far less than the 15 s after which a statement is given up.
      expect(performance.now() - unlockedAtMs).toBeLessThan(5_000);
      const { rows } = await fleet.pool.query(
        "select distinct attempt from engine.results where job_id = any($1)",
        [jobs],
      );
      expect(rows).toEqual([{ attempt: 1 }]);
      expect(lines.filter(({ msg }) => msg.includes("can't be used"))).toEqual([]);
      expect(lines.map(({ msg }) => msg)).toContain("engine.results is no longer locked");
      await worker.stop();
    });
  },
);

test("analytics under its role settles what ended before its retention, after a job", async () => {
  const { definition } = workers.find(
    ({ definition: { name } }) => name === "analytics",
  ) as (typeof workers)[number];
  const projectId = fleet.newId();
  const at = "2001-01-01T00:00:00Z";
  const history = [{ at, field: "state", from: "todo", to: "done" }];
  const states = { todo: { group: "unstarted" }, done: { group: "completed" } };
  const items = [{ id: "a", createdAt: at, state: "done", history }];
  const worker = await start(definition);
  const id = await fleet.publish("analytics", "ingest", { projectId, states, items });
  expect((await fleet.reply(id)).reply).toEqual({ status: "succeeded", output: expect.anything() });
  const left = (table: string) =>
    fleet.pool.query(`select from engine_analytics.${table} where project_id = $1`, [projectId]);
  // The first purge may have come before the commit, or while another's had the turn.
  await worker.stop();
  const next = await start(definition);
  await fleet.reply(await fleet.publish("analytics", "ingest", { projectId, items: [] }));
  await fleet.until("the settled item", async () =>
    (await left("settled")).rowCount === 1 ? true : undefined,
  );
  expect((await left("changes")).rowCount).toBe(0);
  await next.stop();
  await fleet.pool.query("delete from engine_analytics.settled where project_id = $1", [projectId]);
});

test("burials under its role ends what the broker dropped, and purges", async () => {
  const burials = workers.find(({ definition }) => definition.name === "burials");
  const ids = await rowsToPurge("burials");
  const worker = await start((burials as (typeof workers)[number]).definition);
  const id = await fleet.publish("activities", "record", {}, { expiration: "1" });
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
  expect(await fleet.rows(id)).toMatchObject([{ engine: "activities", status: "failed" }]);
  await purges("burials", ids);
  await worker.stop();
});
