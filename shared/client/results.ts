/** Reads how jobs ended, from Postgres. */
import type { Pool } from "pg";
import { boundClient, readChannelBinding } from "../wire/channel-binding.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import type { JobError } from "../wire/reply.ts";
import { ResultsHidden } from "./errors.ts";

/** How a job ended. */
export type JobResult<Output = unknown> = {
  id: string;
  engine: string;
  /** Counted runs of the handler. */
  attempt: number;
  /** 0, or which replay of the dead letter it was. */
  generation: number;
  finishedAt: Date;
} & (
  | { status: "succeeded" /** Undefined once purged. */; output: Output | undefined }
  | { status: "failed"; error: JobError }
);

interface Row {
  job_id: string;
  status: "succeeded" | "failed";
  code: ErrorCode | null;
  attempt: number;
  generation: number;
  reply: string | null;
  finished_at: Date;
}

const QUERY_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;

// Row security leaves rows out without a word. The policies of the engines' roles are for everybody and go by
// the role's name, so that only one which names a role of ours says that its rows are shown.
const VISIBLE = `
SELECT current_user AS role, NOT row_security_active(c.oid) OR current_user LIKE 'engine\\_%' OR EXISTS (
  SELECT FROM pg_policy p, unnest(p.polroles) AS named
   WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND p.polpermissive
     AND CASE WHEN named = 0 THEN false ELSE pg_has_role(named, 'usage') END) AS visible
  FROM pg_class c WHERE c.oid = 'engine.results'::regclass`;

export class Results {
  readonly #pool: Pool;
  readonly #publisher: string | undefined;
  #isVisible = false;
  private constructor(pool: Pool, publisher: string | undefined) {
    this.#pool = pool;
    this.#publisher = publisher;
  }

  /** Loads the driver, which callers without a databaseUrl never need; connects on first use. */
  static async open(
    databaseUrl: string,
    publisher: string | undefined,
    onError: (error: Error) => void,
  ): Promise<Results> {
    const { default: pg } = await import("pg");
    const { url, required } = readChannelBinding(databaseUrl);
    const pool = new pg.Pool({
      connectionString: url,
      max: 2,
      min: 0,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      application_name: "tl-engine-client",
      ...(required && { enableChannelBinding: true, Client: boundClient(pg.Client) }),
    });
    pool.on("error", onError);
    return new Results(pool, publisher);
  }

  /** The job's result, or undefined while it has none. */
  async get(engine: string, id: string): Promise<JobResult | undefined> {
    const found = await this.#pool.query<Row>(
      `SELECT job_id, status, code, attempt, generation, reply::text AS reply, finished_at
         FROM engine.results WHERE engine = $1 AND job_id = $2`,
      [engine, id],
    );
    const [row] = found.rows;
    if (row === undefined) await this.#checkVisible();
    return row && toResult(engine, row);
  }

  /** Which of these jobs have a result. */
  async having(engine: string, ids: string[]): Promise<Set<string>> {
    const found = await this.#pool.query<{ job_id: string }>(
      "SELECT job_id FROM engine.results WHERE engine = $1 AND job_id = ANY($2)",
      [engine, ids],
    );
    if (found.rows.length === 0) await this.#checkVisible();
    return new Set(found.rows.map((row) => row.job_id));
  }

  /** Asked where nothing was found, until it was answered well. */
  async #checkVisible(): Promise<void> {
    if (this.#isVisible) return;
    const { rows } = await this.#pool.query<{ role: string; visible: boolean }>(VISIBLE);
    const [{ role, visible }] = rows as [{ role: string; visible: boolean }];
    if (!visible) throw new ResultsHidden(role, this.#publisher);
    this.#isVisible = true;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

function toResult(engine: string, row: Row): JobResult {
  const facts = {
    id: row.job_id,
    engine,
    attempt: row.attempt,
    generation: row.generation,
    finishedAt: row.finished_at,
  };
  const reply = row.reply === null ? undefined : JSON.parse(row.reply);
  if (row.status === "succeeded") return { ...facts, status: "succeeded", output: reply?.output };
  const purged: JobError = {
    code: row.code ?? "rejected",
    message: "the details were purged",
    retriable: false,
    attempt: row.attempt,
  };
  return { ...facts, status: "failed", error: reply?.error ?? purged };
}
