/** Whether the role may what its work needs, and nothing that `make rights` would not give it. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { type Check, type Finding, failure, ok, warning } from "../check.ts";

interface Seen {
  role: string;
  has_table: boolean;
  may_read: boolean;
  may_insert: boolean;
  rolsuper: boolean;
  rolbypassrls: boolean;
  rolcreaterole: boolean;
  rolcreatedb: boolean;
  may_delete: boolean;
  may_truncate: boolean;
  is_owner: boolean;
}

const QUESTION = `select current_user as role, results is not null as has_table,
  coalesce(has_table_privilege(results, 'select'), false) as may_read,
  coalesce(has_any_column_privilege(results, 'insert') and has_any_column_privilege(results, 'update'), false) as may_insert,
  coalesce(has_table_privilege(results, 'delete'), false) as may_delete,
  coalesce(has_table_privilege(results, 'truncate'), false) as may_truncate,
  coalesce((select pg_has_role(relowner, 'member') from pg_class where oid = results), false) as is_owner,
  rolsuper, rolbypassrls, rolcreaterole, rolcreatedb
from pg_roles, to_regclass('engine.results') as results where rolname = current_user`;

/** to_regclass asks for the right to see into the schema. */
async function ask(pool: Pool): Promise<Seen | undefined> {
  try {
    return (await pool.query<Seen>(QUESTION)).rows[0];
  } catch (error) {
    if ((error as { code?: unknown }).code === "42501") return undefined;
    throw error;
  }
}

const TOO_MUCH = {
  rolsuper: "superuser",
  rolbypassrls: "past row-level security",
  rolcreaterole: "makes roles",
  rolcreatedb: "makes databases",
  is_owner: "owns engine.results",
  may_delete: "deletes results",
  may_truncate: "truncates results",
} as const;

export const rights: Check<Pool> = {
  name: "rights",
  looksAt: "the role may enough, and not too much",
  async run(pool, { workers }): Promise<Finding> {
    const seen = await ask(pool);
    const role = seen?.role ?? "the role of DATABASE_URL";
    const engines = workers.map(({ definition }) => definition.name);
    const engine = engines.find((name) => role === `engine_${name.replaceAll("-", "_")}`);
    const next = `make rights NAME=${engine ?? engines[0]}`;
    if (!seen?.has_table || !seen.may_read || !seen.may_insert)
      return failure(
        `${role} may too little`,
        `${role} may not read and write engine.results, which every job ends in: the table is not there, or its rights were not given`,
        next,
      );
    const extra = Object.entries(TOO_MUCH)
      .filter(([key]) => seen[key as keyof typeof TOO_MUCH])
      .map(([, words]) => words);
    if (extra.length === 0) return ok(`${role} may what it needs`);
    return warning(
      `${role} may too much: ${extra.join(", ")}`,
      engine === undefined
        ? `${role} is no engine's role: right for make migrate, and too much for a worker, whose handlers could then change every result`
        : `${role} was given more than make rights prints`,
      next,
    );
  },
};
