/** What the engine keeps, on a real Postgres, in workspaces that are gone at the end. */
import { randomBytes } from "node:crypto";
import type { Tx } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { runAction, runBatch, type TestJob } from "@tl-engine/shared/testing/test-job";
import { MailSettings } from "../digest/settings.ts";
import worker from "../index.ts";

const MAIL = MailSettings.parse({
  NOTIFICATIONS_SMTP_URL: "smtp://127.0.0.1:1",
  NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
  NOTIFICATIONS_TOKEN_SECRETS: "k".repeat(40),
});
const FOLDER = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

type Name = "members" | "subscriptions" | "preferences" | "notify";
export interface Job {
  action: Name;
  /** Without its workspace. */
  input: object;
}

export async function openKept(databaseUrl: string) {
  const name = "notifications test";
  const pool = openDatabase({ databaseUrl, max: 4, name }, createLog({}, "silent"));
  const client = await pool.connect();
  await migrate(client, await readMigrations(FOLDER)).finally(() => client.release());
  const workspaces: string[] = [];

  async function inTransaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    const tx = await pool.connect();
    try {
      await tx.query("begin");
      const result = await work(tx);
      await tx.query("commit");
      return result;
    } catch (error) {
      await tx.query("rollback");
      throw error;
    } finally {
      tx.release();
    }
  }

  return {
    pool,
    newWorkspace() {
      const id = `w${randomBytes(6).toString("hex")}`;
      workspaces.push(id);
      return id;
    },
    /** Runs a job as a worker does, each in a transaction of its own. */
    run(workspaceId: string, { action, input }: Job, env: object = MAIL) {
      return inTransaction(async (tx) => {
        const whole = { workspaceId, ...input };
        const of = worker.actions[action];
        const options = { tx, env: env as never };
        if (action === "notify") {
          const { outputs, jobs } = await runBatch(of as never, [whole] as never, options);
          return {
            output: outputs[0] as Record<string, unknown>,
            job: jobs[0] as never as TestJob,
          };
        }
        const { output, job } = await runAction(of as never, whole as never, options);
        return { output: output as Record<string, unknown>, job: job as unknown as TestJob };
      });
    },
    /** Runs changes as one batch. */
    runTogether: (changes: readonly object[]) =>
      inTransaction((tx) =>
        runBatch(worker.actions.notify, changes as never, { tx, env: MAIL as never }),
      ),
    /** All rows of the workspace, as text, with its name taken out. */
    async tables(workspaceId: string): Promise<string[]> {
      const lines: string[] = [];
      for (const table of ["members", "memberships", "items", "followers"]) {
        const { rows } = await pool.query<{ line: string }>(
          `select t::text line from engine_notifications.${table} t where workspace_id = $1`,
          [workspaceId],
        );
        lines.push(...rows.map(({ line }) => `${table} ${line.replaceAll(workspaceId, "W")}`));
      }
      return lines.sort();
    },
    async close() {
      const { rows } = await pool.query<{ table_name: string }>(
        `select table_name from information_schema.columns
         where table_schema = 'engine_notifications' and column_name = 'workspace_id'`,
      );
      for (const { table_name: table } of rows)
        await pool.query(`delete from engine_notifications.${table} where workspace_id = any($1)`, [
          workspaces,
        ]);
      await pool.end();
    },
  };
}
export type Kept = Awaited<ReturnType<typeof openKept>>;
