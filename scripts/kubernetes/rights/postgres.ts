/** The least that one engine's role may do in Postgres, as SQL that may run again. */
import { planConnections } from "../../../shared/engine/connections.ts";
import type { WorkerDefinition } from "../../../shared/engine/define-worker.ts";

// What shared/job/result-rows.ts writes. By column, since any right on the whole table allows LOCK TABLE in some mode,
// and UPDATE, DELETE or TRUNCATE in all of them; a right by column allows none.
const INSERTED =
  "engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, worker, started_at, publisher, app_id";
const UPDATED =
  "generation, status, code, attempt, type, input_hash, reply, events, worker, started_at, finished_at, app_id";

/**
 * Once per database: what Postgres gives to everybody, and so to every engine. Who may not take it away, such as the
 * owner of a database on a hosted server, gets a warning for it and no error.
 */
export const DATABASE_STATEMENTS = [
  "do $$ begin execute format('revoke connect, temporary on database %I from public', current_database()); end $$;",
  "revoke create on schema public from public;",
  // Large objects belong to no schema and fill the disk of all.
  "revoke execute on function lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea), lo_open(oid, integer), lowrite(integer, bytea) from public;",
  // The databases that every server has. The same is due for any other that is not to be reached from here.
  "revoke connect on database postgres, template1 from public;",
];

/** It sees whether a job of any engine has ended, and nothing else of it. */
const SCHEDULER_ROLE = "engine_scheduler";

/** Of shared/files/file-rows.ts. */
const filesStatements = (role: string) => [
  `begin; revoke all on engine.files from ${role}; grant select, insert (engine, key, job_id, expires_at), update (state, expires_at) on engine.files to ${role}; commit;`,
  `grant execute on function engine.forget_files(text, text[]) to ${role};`,
];

/**
 * For the owner of the database. The role itself must be there.
 * @param keepsFiles whether the engine is defined with `files`.
 */
export function roleStatements(
  role: string,
  schema: string | undefined,
  keepsFiles = false,
): string[] {
  const own =
    schema === undefined
      ? []
      : [
          `grant usage on schema ${schema} to ${role};`,
          `grant select, insert, update, delete on all tables in schema ${schema} to ${role};`,
          // No sequence: a column that is generated as identity asks for none. Tables of later migrations, which the owner makes.
          `alter default privileges in schema ${schema} grant select, insert, update, delete on tables to ${role};`,
        ];
  return [
    `do $$ begin execute format('grant connect on database %I to ${role}', current_database()); end $$;`,
    `grant usage on schema engine to ${role};`,
    // At once, for workers that run. Revoked are rights of earlier versions, on the whole table.
    // Row-level security shows it the rows of its own engine alone.
    `begin; revoke all on engine.results from ${role}; grant select, insert (${INSERTED}), update (${UPDATED}) on engine.results to ${role}; commit;`,
    `grant execute on function engine.purge_results(text, integer) to ${role};`,
    `grant select on engine.migrations to ${role};`,
    ...(keepsFiles ? filesStatements(role) : []),
    ...(role === SCHEDULER_ROLE
      ? [`grant execute on function engine.job_ended(text, text) to ${role};`]
      : []),
    ...own,
  ];
}

/** As long as the purge, the slowest statement of ours, is waited for. */
const LONGEST_STATEMENT_MS = 60_000;
/** As long as results wait for a row: a lock on the table must not hold them for longer. */
const LOCK_TIMEOUT_MS = 500;

export interface RoleLimits {
  definition: WorkerDefinition;
  /** `maxReplicaCount` of its ScaledObject. */
  maxReplicas: number;
}

/** What bounds a role as a whole, also through a pooler, which takes no setting from its clients. */
export function limitStatements(role: string, { definition, maxReplicas }: RoleLimits): string[] {
  const { poolMax } = planConnections(definition, undefined);
  // As many again may still drain, and one is new: what the quota of the cluster allows, too.
  const pods = 2 * maxReplicas + 1;
  const statementMs = Math.max(LONGEST_STATEMENT_MS, definition.timeoutMs + 5_000);
  return [
    `-- ${pods} pods (2 × maxReplicaCount ${maxReplicas} + 1) with ${poolMax} connections each. More with a larger DATABASE_POOL_MAX.`,
    `alter role ${role} connection limit ${pods * poolMax};`,
    `alter role ${role} set lock_timeout = '${LOCK_TIMEOUT_MS}ms';`,
    `alter role ${role} set statement_timeout = '${statementMs}ms';`,
    `alter role ${role} set idle_in_transaction_session_timeout = '${definition.timeoutMs + 5_000}ms';`,
  ];
}
