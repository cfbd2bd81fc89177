/** What a bounded queue drops is told, counted and ended, and never comes back to it. */
import { fillingQueues } from "@tl-engine/shared/broker/queue-states";
import { createLog } from "@tl-engine/shared/process/log";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { probe as chained } from "@tl-engine/shared/testing/probe-engine";
import { afterAll, beforeAll, expect, test } from "vitest";
import burials from "./index.ts";

const probe = { ...chained, on: {} };
const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;
const KEPT_BYTES = 20_000;
const value = "v".repeat(4_000);

let fleet: TestFleet;
let healthPort: number;
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  fleet = await openTestFleet([probe, burials], [], () => ({ keptBytes: KEPT_BYTES }));
  const log = createLog({}, "warn", { write: (line) => lines.push(JSON.parse(line)) });
  ({ healthPort } = await fleet.start(burials, {}, { log }));
});
afterAll(() => fleet?.close());

const evicted = async (what: string) => {
  const page = await fetch(`http://127.0.0.1:${healthPort}/metrics`);
  const [, count] = new RegExp(`^engine_evicted_${what}_total\\S* (\\d+)$`, "m").exec(
    await page.text(),
  ) as RegExpExecArray;
  return Number(count);
};
const alerts = (alert: string) => lines.filter((line) => line.alert === alert);

test("dead letters past the bound: the oldest go, with a line each, and their rows stay", async () => {
  await fleet.start(probe);
  const ids: string[] = [];
  for (let n = 0; n < 10; n++) {
    ids.push(await fleet.publish("probe", "run", { do: "reject", value }));
    await fleet.reply(String(ids.at(-1)));
  }
  await fleet.until("the evictions", async () => (await evicted("dead_letters")) >= 6 || undefined);
  const kept = (await fleet.deadLetters("probe")).map(({ id }) => id);
  expect(kept.length).toBeGreaterThan(0);
  expect(alerts("dead_letter_evicted").map(({ jobId }) => jobId)).toEqual(
    ids.slice(0, 10 - kept.length),
  );
  expect(alerts("dead_letter_evicted")[0]).toMatchObject({
    of: "probe",
    code: "rejected",
    reason: expect.stringMatching(/^maxlen/),
    queue: fleet.names.dead("probe"),
  });
  expect(await fleet.rows(String(ids[0]))).toMatchObject([{ status: "failed", code: "rejected" }]);
  // It was told when it failed, and not again.
  expect(fleet.replies.filter(({ correlationId }) => correlationId === ids[0])).toHaveLength(1);
});

test.runIf(managementUrl)(
  "a queue that is half full is told before it drops anything",
  async () => {
    for (let n = 0; n < 4; n++) {
      const id = await fleet.publish("probe", "run", { do: "reject", value });
      await fleet.reply(id);
    }
    const queue = fleet.names.dead("probe");
    const [filling] = await fleet.until("the broker's figures", async () => {
      const found = await fillingQueues(String(managementUrl), fleet.config.AMQP_URL, [queue]);
      return found.length > 0 ? found : undefined;
    });
    expect(filling).toMatchObject({ name: queue, keptBytes: KEPT_BYTES });
    const log = createLog({}, "error", { write: (line) => lines.push(JSON.parse(line)) });
    await fleet.start(probe, {}, { log });
    expect(alerts("queue_filling")).toMatchObject([{ name: queue, keptBytes: KEPT_BYTES }]);
  },
);

test("jobs for no engine past the bound: their callers are told that there is none", async () => {
  const ids: string[] = [];
  for (let n = 0; n < 8; n++) ids.push(await fleet.publish("nobody", "run", { value }));
  const { reply, type } = await fleet.reply(String(ids[0]));
  expect(reply).toMatchObject({
    status: "failed",
    error: { code: "unknown_action", message: expect.stringContaining("nobody"), attempt: 0 },
  });
  expect(type).toBe("nobody.run.v1.error");
  expect(alerts("unrouted_evicted")[0]).toMatchObject({ jobId: ids[0], of: "nobody" });
  expect(await evicted("unrouted")).toBeGreaterThan(0);
  expect(await fleet.rows(String(ids[0]))).toEqual([]);
  await fleet.channel.purgeQueue(fleet.names.unrouted);
});

test("the burials' own dead letters past the bound: each is dropped once, in no circle", async () => {
  const before = await evicted("dead_letters");
  for (let n = 0; n < 10; n++)
    fleet.channel.publish(fleet.names.burials, "", Buffer.from(value), { messageId: `odd-${n}` });
  await fleet.channel.waitForConfirms();
  const of = (line: Record<string, unknown>) => line.of === "burials";
  await fleet.until("the evictions", () => alerts("dead_letter_evicted").filter(of)[4] && true);
  const kept = await fleet.deadLetters("burials");
  expect(kept.map(({ id }) => id)).toContain("odd-9");
  expect(alerts("dead_letter_evicted").filter(of)).toHaveLength(10 - kept.length);
  expect(await evicted("dead_letters")).toBe(before + 10 - kept.length);
});
