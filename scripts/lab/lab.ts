import { connect } from "amqplib";
import { z } from "zod";
import { action, defineWorker } from "../../shared/define-worker.ts";
import { readConfig } from "../../shared/config.ts";
import { brokerNames } from "../../shared/client/wire.ts";
import { openConnection } from "../../shared/connection.ts";
import { declareTopology, topologyOf } from "../../shared/topology.ts";
import { startWorker } from "../../shared/worker.ts";
import { Reject, RetryLater } from "../../shared/errors.ts";

const def = defineWorker({ name: "lab", concurrency: 64, timeoutMs: 3000, maxAttempts: 3, actions: {
  plain: action({ version: 1, input: z.object({ n: z.number(), mode: z.string().optional() }), output: z.object({ n: z.number() }), emits: {"lab.done": z.object({n: z.number()})},
    async handle(i, job) { if (i.mode === "reject") throw new Reject("no"); if (i.mode === "throw") throw new Error("boom"); if (i.mode==="later" ) throw new RetryLater(1000); if (i.mode==="slow") await new Promise(r=>setTimeout(r,10000));
      if (i.mode==="tx") { const tx = await job.tx(); await tx.query("select 1"); } job.emit("lab.done", {n:i.n}); return { n: i.n }; } }),
  batch: action({ version: 1, input: z.object({ n: z.number() }), output: z.object({ n: z.number() }),
    async handleBatch(jobs, b) { await b.tx.query("select 1"); if (jobs.some(j=>j.input.n===7)) throw new Error("seven"); return jobs.map(j=>({n:j.input.n})); } }),
}});
const config = readConfig({ ...process.env, HEALTH_PORT: "0", LOG_LEVEL: process.env.LOG_LEVEL ?? "info" });
const names = brokerNames(config.ENGINE_PREFIX);
const { model, profile } = await openConnection(config, "lab");
await declareTopology(model, topologyOf([def], names, profile));
const w = await startWorker(def, config);
const ch = await model.createConfirmChannel();
const q = await ch.assertQueue("lab.replies.x"+process.pid, { exclusive: true, durable: false });
let got = 0; let resolveAll: () => void; const run = Date.now().toString(36);
let expected = Infinity;
await ch.consume(q.queue, (m) => { got++; const n = m!.properties.correlationId; if (verbose) console.log(m!.properties.messageId, m!.properties.type, m!.content.toString().slice(0,200)); if (got===expected) resolveAll(); }, { noAck: true });
let verbose = true;
function pub(id: string, type: string, body: unknown) { ch.publish(names.jobs, "lab", Buffer.from(JSON.stringify(body)), { messageId: `${run}-${id}`, type, contentType: "application/json", persistent: true, replyTo: q.queue }); }
const wait = (n: number) => { expected = n; got = 0; return new Promise<void>((r) => (resolveAll = r)); };
let p = wait(9);
pub("a", "lab.plain.v1", { n: 1 }); pub("a", "lab.plain.v1", { n: 1 }); pub("a", "lab.plain.v1", { n: 2 });
pub("b", "lab.plain.v1", { n: 1, mode: "reject" }); pub("c", "lab.plain.v1", { n: 1, mode: "throw" }); pub("d", "lab.plain.v1", { n: 1, mode: "tx" });
pub("e", "lab.batch.v1", { n: 1 }); pub("f", "lab.batch.v1", { n: 7 }); pub("g", "lab.batch.v9", { n: 7 });
const t1 = Date.now(); await p; console.log("ms", Date.now() - t1);
verbose = false;
for (let round = 0; round < 4; round++) {
  const N = 10000; p = wait(N); const t = Date.now(); const cpu = process.cpuUsage();
  for (let i = 0; i < N; i++) pub(`r${round}-${i}`, "lab.plain.v1", { n: i });
  await p; console.log("jobs/s", Math.round(N / (Date.now() - t) * 1000), "cpu us (incl. client)", (process.cpuUsage(cpu).user+process.cpuUsage(cpu).system)/N);
}
await w.stop(); await model.close();
