/** `events`: hears what engines announce, here into a queue that goes on collecting while nobody reads. */
import { connect } from "@tl-engine/client";

await using engine = await connect({
  amqpUrl: process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
  prefix: process.env.ENGINE_PREFIX,
  appId: "tl-plane",
});

const issueId = `WEB-${process.pid}`;
const { promise: heard, resolve } = Promise.withResolvers<void>();

// Types are known from the pattern; `activity.*` and `#` take several. Without `queue` it lasts as long as this program.
await engine.events(
  "activity.recorded",
  async (event) => {
    // Others' events come as well, an event can come twice, and none come in order: its id tells copies.
    if (event.body.issueId !== issueId) return;
    for (const { field, oldValue, newValue } of event.body.activities)
      console.log(`${event.id}: ${field} ${oldValue} → ${newValue}`);
    resolve();
  },
  { queue: "tl-plane.activity-feed.example" },
);

await engine.call("activities", "record", {
  type: "issue.activity.updated",
  workspaceId: "acme",
  projectId: "web",
  issueId,
  actorId: "ana",
  epoch: Date.now() / 1_000,
  requested: { priority: "high" },
  current: { priority: "low" },
});
await heard;
