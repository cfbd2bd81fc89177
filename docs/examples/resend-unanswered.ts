/** `resendUnanswered`: after a crash of the caller, what it meant to send and has no result is sent again, safely. */
import { connect, type Engines, type SentJob } from "@tl-engine/client";

await using engine = await connect({
  amqpUrl: process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
  prefix: process.env.ENGINE_PREFIX,
  // Says which jobs have a result. Without it all are sent again, which is as safe: they run once.
  databaseUrl: process.env.DATABASE_URL,
  appId: "tl-plane",
});

const input: Engines["activities"]["record"]["input"] = {
  type: "issue.activity.updated",
  workspaceId: "acme",
  projectId: "web",
  issueId: "WEB-7",
  actorId: "ana",
  epoch: 1_760_000_000, // kept with the job: the same id with another input is refused
  requested: { priority: "high" },
  current: { priority: "low" },
};
const jobFor = (id: string): SentJob<Engines> => ({
  engine: "activities",
  action: "record",
  id,
  input,
});

/** As they stand in the caller's own database, written in the transaction that made them necessary. */
const kept = [jobFor(crypto.randomUUID()), jobFor(crypto.randomUUID())];
const [sent, lost] = kept as [SentJob<Engines>, SentJob<Engines>];

// One went out and has its result; before the other one the program crashed.
await engine.call("activities", "record", input, { id: sent.id });

const again = await engine.resendUnanswered(kept);
console.log(`sent again: ${again.map((id) => (id === lost.id ? "the lost one" : id)).join(", ")}`);

while ((await engine.result(lost.id, "activities")) === undefined)
  await new Promise((resolve) => setTimeout(resolve, 100));
console.log(`still without a result: ${(await engine.resendUnanswered(kept)).length}`);
