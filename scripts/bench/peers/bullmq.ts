/** Peer "bullmq": a BullMQ worker that inserts the result row; its reply is BullMQ's own completion, with the value. */
import { Worker } from "bullmq";
import pg from "pg";
import { IN_FLIGHT, replyText } from "../load.ts";
import { INSERT_RESULT, resultRow } from "./result-row.ts";

const [redisUrl = "", queue = "", databaseUrl = ""] = process.argv.slice(2);

const pool = new pg.Pool({ connectionString: databaseUrl });
const worker = new Worker(
  queue,
  async (job) => {
    const startedAt = new Date();
    const reply = replyText(job.data.n);
    await pool.query(INSERT_RESULT, resultRow("bullmq", String(job.id), reply, startedAt));
    return reply;
  },
  { connection: { url: redisUrl }, concurrency: IN_FLIGHT },
);
worker.on("failed", (_job, error) => {
  throw error;
});
