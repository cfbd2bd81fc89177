/** Reads the results of a run from Postgres, as anybody could: by plain SQL. */
import pg from "pg";

export interface Row {
  jobId: string;
  status: string;
  code: string | null;
  /** The exact text of the reply's body. */
  reply: string;
  events: { id: string; type: string; body: string }[];
  attempt: number;
  startedAtMs: number;
  finishedAtMs: number;
}

export interface MailRow {
  messageId: string | null;
  state: string | null;
  address: string | null;
  /** `<receiver> <activity>` of each entry of its window. */
  entries: string[];
}

export interface Rows {
  /** All rows of an engine whose job id is one of the given. */
  read(engine: string, jobIds: string[]): Promise<Row[]>;
  /** Those of the given jobs that have a row. */
  finished(engine: string, jobIds: string[]): Promise<string[]>;
  /** Each window of mails of a workspace, mailed or not. */
  mails(workspaceId: string): Promise<MailRow[]>;
  close(): Promise<void>;
}

const SELECT = `select job_id as "jobId", status, code, reply::text as reply,
    events::text as events, attempt,
    extract(epoch from started_at)::float8 * 1000 as "startedAtMs",
    extract(epoch from finished_at)::float8 * 1000 as "finishedAtMs"
  from engine.results where engine = $1 and job_id = any($2)`;
const FINISHED = "select job_id from engine.results where engine = $1 and job_id = any($2)";

const MAILS = `
  select m.message_id as "messageId", m.state, m.address,
    array(select e.receiver_id || ' ' || e.activity_id from engine_notifications.mail_entries e
      where e.receiver_id = w.receiver_id and e.due_ms = w.due_ms) as entries
  from engine_notifications.mail_windows w
  left join engine_notifications.mails m using (receiver_id, due_ms)
  where w.workspace_id = $1`;

export function openRows(databaseUrl: string): Rows {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  // A lost idle connection is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => {});
  return {
    async read(engine, jobIds) {
      const { rows } = await pool.query(SELECT, [engine, jobIds]);
      return rows.map((row) => ({ ...row, events: JSON.parse(row.events ?? "[]") ?? [] }));
    },
    async finished(engine, jobIds) {
      const { rows } = await pool.query<{ job_id: string }>(FINISHED, [engine, jobIds]);
      return rows.map((row) => row.job_id);
    },
    mails: async (workspaceId) => (await pool.query<MailRow>(MAILS, [workspaceId])).rows,
    close: () => pool.end(),
  };
}
