/** Whether a statement that was prepared is there when the pooler has lent another connection. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { behindPooler } from "@tl-engine/shared/stores/pg-insides";
import { type Check, type Finding, ok, skipped, warning } from "../check.ts";
import { seenOnce, serverPid, type TwoClients, withTwoClients } from "./two-clients.ts";

/** invalid_sql_statement_name */
const NOT_PREPARED = "26000";

export const prepared: Check<Pool> = {
  name: "prepared",
  looksAt: "prepared statements outlive the pooler's exchange of connections",
  async run(pool, { config }) {
    if (!config.DATABASE_PREPARED) return ok("not used (DATABASE_PREPARED=0)");
    return withTwoClients(pool, async (clients) => {
      if (!(await behindPooler(clients.one))) return ok("no pooler in between");
      const found = await seenOnce(() => tryOnAnother(clients));
      return found ?? skipped("the pooler did not exchange connections while we looked");
    });
  },
};

let count = 0;

/** Undefined where the pooler lent the other client a connection that does not know the statement anyway. */
async function tryOnAnother({ one, other }: TwoClients): Promise<Finding | undefined> {
  const name = `doctor_${process.pid}_${++count}`;
  const statement = { name, text: "select pg_backend_pid() as pid" };
  const { rows } = await one.query(statement);
  await other.query("begin");
  try {
    if ((await serverPid(other)) !== Number(rows[0].pid)) return undefined;
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
}
