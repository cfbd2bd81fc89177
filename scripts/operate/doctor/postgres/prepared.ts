/** Whether a statement that was prepared is there when the pooler has lent another connection. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { behindPooler } from "@tl-engine/shared/stores/pg-insides";
import { type Check, ok, skipped, warning } from "../check.ts";
import { serverPid, withTwoClients } from "./two-clients.ts";

/** invalid_sql_statement_name */
const NOT_PREPARED = "26000";

export const prepared: Check<Pool> = {
  name: "prepared",
  looksAt: "prepared statements outlive the pooler's exchange of connections",
  async run(pool, { config }) {
    if (!config.DATABASE_PREPARED) return ok("not used (DATABASE_PREPARED=0)");
    return withTwoClients(pool, async ({ one, other }) => {
      if (!(await behindPooler(one))) return ok("no pooler in between");
      const name = `doctor_${process.pid}_${Date.now()}`;
      const statement = { name, text: "select pg_backend_pid() as pid" };
      const { rows } = await one.query(statement);
      await other.query("begin");
      try {
        if ((await serverPid(other)) !== Number(rows[0].pid))
          return skipped("the pooler did not exchange connections while we looked");
        // The connection that knows the statement is taken, so this one is another.
        await one.query(statement);
        return ok("the pooler follows them");
      } catch (error) {
        if ((error as { code?: unknown }).code !== NOT_PREPARED) throw error;
        return warning(
          "the pooler loses them",
          "it does not follow prepared statements (PgBouncer before 1.21, or max_prepared_statements = 0): each worker finds out by a job's commit, and goes on without",
          "set DATABASE_PREPARED=0, or max_prepared_statements = 100 in the pooler",
        );
      } finally {
        // A pooler that follows them has given it another name.
        await other.query(`deallocate ${name}`).catch(() => {});
        await other.query("rollback");
      }
    });
  },
};
