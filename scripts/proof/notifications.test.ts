/** From a change that a caller publishes to `activities`, to whom `notifications` tells: on real servers, workers and all. */
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { type Seen, see } from "../../shared/testing/seen.ts";
import { loadWorkers } from "../workers.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const workers = (await loadWorkers()).filter(({ definition: { name } }) =>
  ["activities", "notifications"].includes(name),
);
let fleet: TestFleet;
const created: Seen[] = [];

beforeAll(async () => {
  fleet = await openTestFleet(
    workers.map(({ definition }) => definition),
    workers.map(({ folder }) => folder),
  );
  const { queue } = await fleet.channel.assertQueue("", { exclusive: true });
  await fleet.channel.bindQueue(queue, fleet.names.events, "notification.created");
  await fleet.channel.consume(queue, (message) => message && created.push(see(message)), {
    noAck: true,
  });
});
afterAll(() => fleet?.close());

async function done(engine: string, action: string, input: object, messageId?: string) {
  const id = await fleet.publish(engine, action, input, messageId ? { messageId } : {});
  const { reply } = await fleet.reply(id);
  expect(reply).toMatchObject({ status: "succeeded" });
  return id;
}

interface Created {
  issueId: string;
  notifications: { id: string; receiverId: string; reason: string }[];
}
const toldOf = (issueId: string) =>
  created
    .map(({ text }) => JSON.parse(text) as Created)
    .filter((event) => event.issueId === issueId)
    .flatMap(({ notifications }) => notifications);

const MAIL = {
  NOTIFICATIONS_SMTP_URL: "smtp://127.0.0.1:9",
  NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
  NOTIFICATIONS_TOKEN_SECRETS: "k".repeat(40),
};

test("a change tells its followers, once however often it comes, and puts it into their digests", async () => {
  const workspaceId = fleet.config.ENGINE_PREFIX;
  const id = (name: string) => `${name}-${workspaceId}`;
  const [projectId, issueId, ana, luis] = ["p", "i", "ana", "luis"].map(id) as string[];
  for (const { definition } of workers) {
    const worker = await fleet.start(definition, definition.name === "notifications" ? MAIL : {});
    onTestFinished(() => worker.stop());
  }
  const updatedAt = "2026-01-01T00:00:00Z";
  const put = [ana, luis].map((one) => ({ id: one, address: `${one}@x.example`, updatedAt }));
  await done("notifications", "members", { workspaceId, projectId, put });
  const item = { issueId, projectId, createdBy: ana, subscribers: [ana], updatedAt };
  await done("notifications", "subscriptions", { workspaceId, put: [item] });

  const change = {
    ...{ type: "issue.activity.updated", workspaceId, projectId, issueId, actorId: id("eva") },
    epoch: 1_770_000_000,
    requested: { priority: "high", assignee_ids: [luis] },
    current: { priority: "low", assignee_ids: [] },
  };
  const jobId = await done("activities", "record", change);
  const told = await fleet.until("four notifications", () =>
    toldOf(String(issueId)).length >= 4 ? toldOf(String(issueId)) : undefined,
  );
  expect(told.map(({ receiverId, reason }) => `${receiverId} ${reason}`).sort()).toEqual([
    ...[`${ana} created`, `${ana} created`, `${luis} assigned`, `${luis} assigned`],
  ]);
  expect(new Set(told.map((one) => one.id)).size).toBe(4);

  // Again, as a publisher does that saw no confirm; and one more, which is told after it.
  await done("activities", "record", change, jobId);
  await done("activities", "record", { ...change, epoch: 1_770_000_001, requested: { name: "x" } });
  await fleet.until("the next change's", () =>
    toldOf(String(issueId)).length >= 6 ? true : undefined,
  );
  const all = new Set(toldOf(String(issueId)).map((one) => one.id));
  expect([all.size, toldOf(String(issueId)).length]).toEqual([6, 6]);

  const { rows } = await fleet.pool.query(
    "select receiver_id, count(*)::int n from engine_notifications.mail_entries where workspace_id = $1 group by 1 order by 1",
    [workspaceId],
  );
  expect(rows).toEqual([
    { receiver_id: ana, n: 3 },
    { receiver_id: luis, n: 3 },
  ]);
});
