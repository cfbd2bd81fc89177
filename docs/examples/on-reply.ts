/** `send` and `onReply`: answers come to a durable queue, also after this program was started anew. */
import { connect } from "@tl-engine/client";

await using engine = await connect({
  amqpUrl: process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
  prefix: process.env.ENGINE_PREFIX,
  appId: "tl-plane",
  replyQueue: "tl-plane.replies.example",
  onTrouble: (kind, error) => console.error(kind, error),
});

const waiting = new Set<string>();
const { promise: answered, resolve } = Promise.withResolvers<void>();

// Acknowledged once this resolves; while it throws the reply is handed to it again.
await engine.onReply(async (reply) => {
  // A copy, or the answer to a job of an earlier start: keep the ids that wait where they outlive the program.
  if (!waiting.delete(reply.id)) return;
  if (reply.status === "succeeded") console.log(`${reply.id} succeeded`);
  else console.log(`${reply.id} failed: ${reply.error.code}, ${reply.error.message}`);
  if (waiting.size === 0) resolve();
});

for (const priority of ["high", "low", "none"]) {
  const id = crypto.randomUUID();
  // Before it is sent: the answer can be faster than the broker's confirm.
  waiting.add(id);
  await engine.send(
    "activities",
    "record",
    {
      type: "issue.activity.updated",
      workspaceId: "acme",
      projectId: "web",
      issueId: "WEB-7",
      actorId: "ana",
      epoch: Date.now() / 1_000,
      requested: { priority },
      current: { priority: "urgent" },
    },
    { id },
  );
}
await answered;
