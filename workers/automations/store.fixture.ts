/** The owning actions on a real Postgres, each call one batch in one transaction, as the runtime makes it. */
import { randomUUID } from "node:crypto";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { runBatch } from "@tl-engine/shared/testing/test-job";
import { afterAll, beforeAll, expect } from "vitest";
import { reactInputOf } from "./activity-event.ts";
import worker from "./index.ts";
import type { AutomationFired } from "./schemas.ts";

const databaseUrl = process.env.DATABASE_URL;
export const hasDatabase = databaseUrl !== undefined;

/** What the actions are to a test; its rows are gone at its end. */
export function onPostgres() {
  const log = createLog({}, "silent");
  const pool = openDatabase(
    { databaseUrl: databaseUrl ?? "postgres://unused", max: 4, name: "automations test" },
    log,
  );
  const places: string[] = [];

  beforeAll(async () => {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
    } finally {
      client.release();
    }
  });
  afterAll(async () => {
    expect(pool.idleCount).toBe(pool.totalCount);
    await pool.query("delete from engine_automations.rule_sets where workspace_id = any($1)", [
      places,
    ]);
    await pool.query("delete from engine_automations.items where project_id = any($1)", [places]);
    await pool.end();
  });

  async function run(name: "rules" | "items" | "react", inputs: unknown[]) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const done = await runBatch(worker.actions[name] as never, inputs as never[], { tx: client });
      await client.query("commit");
      return done as {
        outputs: Record<string, unknown>[];
        jobs: { emitted: { data: unknown }[] }[];
      };
    } finally {
      client.release();
    }
  }
  /** As the job of this id, as a message that comes again is. */
  async function reactAs(id: string, input: unknown): Promise<unknown[]> {
    const { input: schema, handleBatch } = worker.actions.react;
    const fired: unknown[] = [];
    const job = { id, attempt: 1, deadline: undefined, input: schema.parse(input) };
    const client = await pool.connect();
    try {
      await client.query("begin");
      const emit = (_: string, data: unknown) => fired.push(data);
      await handleBatch?.([{ ...job, emit }] as never, { tx: client, log } as never);
      await client.query("commit");
      return fired;
    } finally {
      client.release();
    }
  }
  const firedBy = ({ jobs }: Awaited<ReturnType<typeof run>>) =>
    jobs.flatMap(({ emitted }) => emitted.map(({ data }) => data as AutomationFired));

  return {
    pool,
    run,
    reactAs,
    /** A workspace or project of the test's own. */
    newPlace(name: string): string {
      const id = `${name}-${randomUUID()}`;
      places.push(id);
      return id;
    },
    put: async (input: object) => (await run("rules", [input])).outputs[0],
    react: async (...inputs: object[]) => firedBy(await run("react", inputs)),
    /** Events as `activities` announces them. */
    record: async (...events: object[]) => firedBy(await run("react", events.map(reactInputOf))),
  };
}
