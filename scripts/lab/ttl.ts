import { openTestFleet } from "../../shared/testing/fleet.ts";
import { probe } from "../../shared/testing/probe-engine.ts";
import burials from "../../workers/burials/index.ts";
import { connect } from "amqplib";
const f = await openTestFleet([probe, burials]);
const q = f.names.queue("probe");
const look = async (w: string) => { await new Promise(r=>setTimeout(r,1000)); const a = await f.channel.checkQueue(q); const b = await f.channel.checkQueue(f.names.queue("burials")); console.log(w, "probe", a.messageCount, a.consumerCount, "burials", b.messageCount); };
const mode = process.argv[2];
if (mode === "worker") { const w = await f.start(probe); await f.reply(await f.publish("probe","run",{})); await w.stop(); }
else {
  const m = await connect(process.env.AMQP_URL!); const ch = await m.createChannel(); await ch.prefetch(16);
  const { consumerTag } = await ch.consume(q, (x) => { console.log("got", x?.properties.messageId); if (mode === "multi") ch.ack(x!, true); else ch.ack(x!); });
  await f.publish("probe","run",{}); await look("consumed");
  if (mode!=="noclose" && mode!=="multi") await m.close(); else { await ch.cancel(consumerTag); }
  if (mode==="multi") await m.close();
}
await look("end");
await f.publish("probe","run",{},{expiration:"1"}); await look("after consumer");
await f.publish("probe","run",{},{expiration:"1"}); await look("after consumer 2");
await f.publish("probe","run",{}); await look("plain"); 
const c2 = await f.channel.consume(q, (m) => { console.log("got", m?.properties.messageId); m && f.channel.ack(m); });
await look("consumer again");
process.exit();
