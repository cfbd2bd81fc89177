/** Peer "naive": what one writes first; five round trips a job, one after another, 100 jobs at a time. */
import { type ConsumeMessage, connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { IN_FLIGHT, replyText } from "../load.ts";
import { INSERT_RESULT, resultRow } from "./result-row.ts";

const [amqpUrl = "", queue = "", databaseUrl = "", redisUrl = ""] = process.argv.slice(2);

const redis = new Redis(redisUrl);
const pool = new pg.Pool({ connectionString: databaseUrl });
const connection = await connect(amqpUrl, { noDelay: true });
const channel = await connection.createConfirmChannel();

async function run(message: ConsumeMessage): Promise<void> {
  const { replyTo, messageId, correlationId } = message.properties;
  const startedAt = new Date();
  const claimed = await redis.set(`bench:naive:${messageId}`, "running", "EX", 60, "NX");
  if (claimed !== "OK") throw new Error(`${messageId} came twice`);
  const { n } = JSON.parse(message.content.toString());
  const reply = replyText(n);
  await pool.query(INSERT_RESULT, resultRow("naive", messageId, reply, startedAt));
  await new Promise<void>((resolve, reject) => {
    channel.publish(
      "",
      replyTo,
      Buffer.from(reply),
      {
        persistent: true,
        contentType: "application/json",
        type: "noop.run.v1.result",
        messageId,
        correlationId,
      },
      (error) => (error ? reject(error) : resolve()),
    );
  });
  await redis.set(`bench:naive:${messageId}`, "done", "EX", 3600);
  channel.ack(message);
}

await channel.prefetch(IN_FLIGHT);
await channel.consume(queue, (message) => {
  if (!message) throw new Error("the broker cancelled the consumer");
  void run(message);
});
