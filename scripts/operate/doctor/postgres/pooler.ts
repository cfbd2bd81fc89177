/** Which pooler sits in between, if any, and whether it lends a connection for a transaction. */
import type { Pool, PoolClient } from "@tl-engine/shared/stores/database";
import { behindPooler } from "@tl-engine/shared/stores/pg-insides";
import { type Check, failure, ok, warning } from "../check.ts";
import { seenOnce, serverPid, withTwoClients } from "./two-clients.ts";

const NEXT = `psql "$DATABASE_URL" -c 'select pg_backend_pid()' (twice: the same number is a pooler's), and its pool_mode`;

export const pooler: Check<Pool> = {
  name: "pooler",
  looksAt: "pooler mode: transactions stay whole, connections are shared",
  run: (pool) =>
    withTwoClients(pool, async ({ one, other }) => {
      if (!(await behindPooler(one))) return ok("no pooler: the server itself");
      const refused = await one.query("begin").then(
        () => undefined,
        (error: Error) => error,
      );
      if (refused !== undefined)
        return failure(
          "it takes no transactions",
          `the pooler refuses BEGIN (${refused.message}): pool_mode is statement, and a job's rows and its result could not be written together`,
          "set pool_mode = transaction in the pooler",
        );
      await one.query("rollback");
      if (await seenOnce(() => shareOne(one, other))) return ok("a pooler in transaction mode");
      return warning(
        "a pooler, not seen to share",
        "while one connection was idle another got a second one of the server's: pool_mode is session, so that every worker keeps its own, or many others were at work",
        NEXT,
      );
    }),
};

/** True where one's transaction and then the other's ran on the same connection of the server. */
async function shareOne(one: PoolClient, other: PoolClient): Promise<true | undefined> {
  const first = await serverPid(one);
  return first === (await serverPid(other)) ? true : undefined;
}
