/** The floor of a cold start: a Node that imports and connects the engine's drivers, then answers one job. */
import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";

const [amqpUrl = "", queue = "", databaseUrl = "", redisUrl = ""] = process.argv.slice(2);

// As the engine does: one connection consumes, another publishes; everything connects at once.
const redis = new Redis(redisUrl, { lazyConnect: true });
const pool = new pg.Pool({ connectionString: databaseUrl });
const [consuming, publishing] = await Promise.all([
  connect(amqpUrl, { noDelay: true }).then((connection) => connection.createChannel()),
  connect(amqpUrl, { noDelay: true }).then((connection) => connection.createConfirmChannel()),
  pool.query("SELECT 1"),
  redis.connect(),
]);
await consuming.prefetch(1);
await consuming.consume(queue, (message) => {
  if (!message) throw new Error("the broker cancelled the consumer");
  const { replyTo, messageId, correlationId } = message.properties;
  const options = { persistent: true, messageId, correlationId };
  publishing.publish("", replyTo, Buffer.from("{}"), options, (error) => {
    if (error) throw error;
    consuming.ack(message);
  });
});
