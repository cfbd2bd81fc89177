import { rmSync } from "node:fs";
import amqp from "amqplib";
import { provideServices } from "./shared/testing/services/index.ts";
const s = await provideServices({ sources: ["native"], dir: "/tmp/svcq", needs: ["rabbitmq"] });
for (const delayMs of [0, 300, 1000, 2000, 6000, 0]) {
  const q = `q${delayMs}-${Math.random()}`;
  const c = await amqp.connect(s.amqpUrl); c.on("error", () => {});
  const ch = await c.createConfirmChannel();
  await ch.assertQueue(q, { arguments: { "x-queue-type": "quorum" } });
  ch.sendToQueue(q, Buffer.from("x"), { persistent: true }); await ch.waitForConfirms();
  await c.close();
  await new Promise((r) => setTimeout(r, delayMs));
  await s.control("rabbitmq").kill(); await s.control("rabbitmq").start();
  const t = Date.now();
  const d = await amqp.connect(s.amqpUrl); d.on("error", () => {});
  const h = await d.createChannel(); h.on("error", () => {});
  const got = await Promise.race([h.get(q, { noAck: true }).then((m) => String(m && m.content), (e) => e.message), new Promise((r) => setTimeout(r, 25000, "no answer in 25 s"))]);
  console.log("kill", delayMs, "ms after the confirm:", got, Date.now() - t, "ms");
  d.connection.stream.destroy();
}
await s.stop(); rmSync("/tmp/svcq", { recursive: true }); process.exit(0);
