/** Whether the server lets in as many connections as the workers open at most. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { behindPooler } from "@tl-engine/shared/stores/pg-insides";
import { type Check, failure, ok, skipped } from "../check.ts";

interface Limits {
  role: string;
  server: number;
  database: number;
  role_limit: number;
  rolsuper: boolean;
}

const QUESTION = `select current_user as role,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as server,
  datconnlimit as database, rolconnlimit as role_limit, rolsuper
from pg_database, pg_roles where datname = current_database() and rolname = current_user`;

export const connections: Check<Pool> = {
  name: "connections",
  looksAt: "connection limits against the most workers that there may be",
  async run(pool, { atMost }) {
    if (typeof atMost === "string") return skipped(atMost);
    const client = await pool.connect();
    try {
      const { rows } = await client.query<Limits>(QUESTION);
      const { role = "", server = 0, database = -1, role_limit = -1, rolsuper } = rows[0] ?? {};
      const own = atMost.engines.find(
        ({ engine }) => role === `engine_${engine.replaceAll("-", "_")}`,
      );
      const need = own?.postgresConnections ?? atMost.postgresConnections;
      // Behind a pooler the server sees the pooler's connections alone.
      const pooled = await behindPooler(client);
      const limits: [string, number][] = [
        ...(pooled ? [] : [["max_connections", server] as [string, number]]),
        // -1 is none, and superusers are held to none.
        ...(database < 0 || rolsuper || pooled
          ? []
          : [["the database", database] as [string, number]]),
        ...(role_limit < 0 || rolsuper || pooled
          ? []
          : [[`the role ${role}`, role_limit] as [string, number]]),
      ];
      if (limits.length === 0)
        return skipped("behind a pooler: make lint-manifests compares its limit");
      const [tightest, limit] = limits.toSorted(([, a], [, b]) => a - b)[0] as [string, number];
      if (limit >= need) return ok(`${limit} allowed, ${need} at most`);
      return failure(
        `${limit} allowed, ${need} at most`,
        `${tightest} lets ${limit} connections in, and ${own?.engine ?? "all workers"} at their most (${atMost.environment}) open ${need}: the rest waits`,
        own === undefined
          ? `psql "$DATABASE_URL" -c 'show max_connections'`
          : `make rights NAME=${own.engine}`,
      );
    } finally {
      client.release();
    }
  },
};
