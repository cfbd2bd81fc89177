/** Planted bugs of results: what is committed, and when it is told. */
import pg from "pg";
import type { ResultRow } from "../../../../shared/job/result-rows.ts";
import type { Parts } from "../../../../shared/worker.ts";
import { type Bug, changes, isReply, publishes, remember, replyOf, storing } from "./bug.ts";

/** The statement that a careless author writes: no fence for the other writes of the transaction. */
export const INSERT_DO_NOTHING = `
  insert into engine.results (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, publisher, worker, started_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'bug', now())
  on conflict do nothing`;
export const valuesOf = (row: ResultRow) => [
  row.engine,
  row.jobId,
  row.generation,
  row.status,
  row.code,
  row.attempt,
  row.type,
  row.inputHash,
  row.reply,
  row.events,
  row.publisher,
];

let pool: pg.Pool | undefined;
export const openPool = (): pg.Pool => {
  pool ??= new pg.Pool({ connectionString: process.env.DATABASE_URL ?? "", max: 2 });
  pool.on("error", () => {});
  return pool;
};

/** Does something with the rows before they are committed. */
const beforeCommit = (parts: Parts, work: (rows: ResultRow[]) => Promise<unknown>): Parts => ({
  ...parts,
  commits: {
    ...parts.commits,
    async commit(row) {
      await work([row]);
      return parts.commits.commit(row);
    },
    async commitIn(client, rows) {
      await work(rows);
      return parts.commits.commitIn(client, rows);
    },
  },
});

/** Does as `resolve` says where the answer to a COMMIT was lost. */
const onUnknown = (
  parts: Parts,
  resolve: (rows: ResultRow[]) => Promise<{ kind: "committed" } | undefined>,
): Parts => ({
  ...parts,
  commits: {
    ...parts.commits,
    async commitIn(client, rows) {
      const own = await parts.commits.commitIn(client, rows);
      return own.kind === "unknown" ? ((await resolve(rows)) ?? own) : own;
    },
  },
});

export const COMMIT_BUGS: Record<string, Bug> = {
  /** Reads back after a lost COMMIT, and believes that no row means no commit. */
  "read-back-after-lost-commit": (given) => {
    const { parts, received } = remember(given);
    return onUnknown(parts, async (rows) => {
      for (const row of rows) {
        const job = received.get(row.jobId);
        if (job === undefined || (await parts.commits.read(row.engine, row.jobId))) continue;
        const reply = '{"status":"failed","error":{"code":"attempts_exhausted"}}';
        const failed: ResultRow = { ...row, status: "failed", code: "attempts_exhausted", reply };
        await parts.publisher.publish(replyOf(job, failed));
      }
      return undefined;
    });
  },
  /** Takes a lost COMMIT for one that worked. */
  "lost-commit-taken-for-done": (parts) => onUnknown(parts, async () => ({ kind: "committed" })),
  "do-nothing-with-own-writes": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      async commitIn(client, rows) {
        for (const row of rows) await client.query(INSERT_DO_NOTHING, valuesOf(row));
        await client.query("commit");
        return { kind: "committed" };
      },
    },
  }),
  "reply-before-commit": (given) => {
    const { parts, received } = remember(given);
    return beforeCommit(parts, async (rows) => {
      for (const row of rows) {
        const job = received.get(row.jobId);
        if (job?.replyTo !== undefined) await parts.publisher.publish(replyOf(job, row));
      }
    });
  },
  "events-before-commit": (given) => {
    const { parts, received } = remember(given);
    return beforeCommit(parts, async (rows) => {
      for (const { jobId, events } of rows) {
        const prefix = process.env.ENGINE_PREFIX;
        for (const { id, type, body } of JSON.parse(events ?? "[]"))
          await parts.publisher.publish({
            exchange: `${prefix}.events`,
            routingKey: type,
            body,
            messageId: id,
            type,
            correlationId: received.get(jobId)?.correlationId ?? jobId,
            mandatory: false,
          });
      }
    });
  },
  "events-not-stored": (parts) =>
    storing(parts, (row) => {
      row.events = null;
    }),
  "failed-row-not-stored": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      commit: async (row) =>
        row.status === "failed" ? { kind: "first", row } : parts.commits.commit(row),
    },
  }),
  /** A result that is there already is acked without telling its caller again. */
  "no-resend": (parts) => {
    const silent = new Set<string>();
    const quiet: Parts = {
      ...parts,
      commits: {
        ...parts.commits,
        async commit(row) {
          const committed = await parts.commits.commit(row);
          if (committed.kind === "before") silent.add(row.jobId);
          return committed;
        },
        async commitIn(client, rows) {
          const own = await parts.commits.commitIn(client, rows);
          if (own.kind === "conflict") for (const row of rows) silent.add(row.jobId);
          return own;
        },
      },
    };
    return changes(quiet, isReply, (reply) =>
      silent.has(String(reply.messageId).split("/")[1] ?? "") ? undefined : reply,
    );
  },
  /** What was stored is said again in other words. */
  "stored-reply-changed": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      async read(engine, jobId) {
        const row = await parts.commits.read(engine, jobId);
        return row && { ...row, reply: JSON.stringify({ ...JSON.parse(row.reply), again: true }) };
      },
    },
  }),
  "replay-overwrites-success": (parts) =>
    beforeCommit(parts, async (rows) => {
      for (const { engine, jobId, generation } of rows)
        if (generation > 0)
          await openPool()
            .query("delete from engine.results where engine = $1 and job_id = $2", [engine, jobId])
            .catch(() => {});
    }),
  "hash-ignores-content": (parts) => ({
    ...parts,
    receive(delivery) {
      const received = parts.receive(delivery);
      received.inputHash = "always the same";
      return received;
    },
  }),
};

const isBurials = process.env.CRASH_TEST_ENGINE === "burials";
export const inBurials =
  (bug: Bug): Bug =>
  (parts, isMine) =>
    isBurials ? bug(parts, isMine) : parts;

export const BURIAL_BUGS: Record<string, Bug> = {
  "burials-without-row": inBurials((parts) => ({
    ...parts,
    commits: { ...parts.commits, commit: async (row) => ({ kind: "first", row }) },
  })),
  "burials-without-reply": inBurials((parts) => changes(parts, isReply, () => undefined)),
  "burials-without-letter": inBurials((parts) =>
    publishes(parts, async (outgoing, send) =>
      outgoing.routingKey.endsWith(".dead") ? "routed" : send(outgoing),
    ),
  ),
};
