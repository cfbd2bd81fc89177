/** A process with nothing but a consumer: it acks what comes, and tells what its memory came to. */
import { openConsumer } from "../broker/consume.ts";
import { readConfig } from "../process/config.ts";
import { createLog } from "../process/log.ts";

const consumer = await openConsumer(readConfig(process.env), {
  engine: String(process.argv[2]),
  prefetch: 10,
  onDelivery({ message, acks, tooLargeBytes }) {
    acks.ack(message);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    const { length: bytes } = message.content;
    process.stdout.write(`${JSON.stringify({ idleBytes, peakBytes, bytes, tooLargeBytes })}\n`);
    void started.then(() => consumer.close());
  },
  onStaleAck() {},
  log: createLog({}, "silent"),
});
const idleBytes = process.memoryUsage.rss();
const started = consumer.start();
await started;
