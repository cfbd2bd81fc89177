/** What the broker drops by itself still gets its row, its reply and its dead letter. */
import type { WorkerDefinition } from "@tl-engine/shared";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { probe as chained } from "@tl-engine/shared/testing/probe-engine";
import { afterAll, beforeAll, expect, test } from "vitest";
import burials from "./index.ts";

/** Without its subscription, or its own event would wait at the head of the queue, and only the head can expire. */
const probe: WorkerDefinition = { ...chained, on: {} };

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe, burials]);
  await fleet.start(burials);
});
afterAll(() => fleet?.close());

async function grave(id: string) {
  return fleet.until(`the dead letter of ${id}`, async () =>
    (await fleet.deadLetters("probe")).find((letter) => letter.id === id),
  );
}

test("a job whose expiration passed with no worker running ends as expired", async () => {
  const id = await fleet.publish("probe", "run", { value: "late" }, { expiration: "1" });
  const { reply, type } = await fleet.reply(id);
  expect(reply).toMatchObject({ status: "failed", error: { code: "expired", attempt: 0 } });
  expect(type).toBe("probe.run.v1.error");
  expect(await fleet.rows(id)).toMatchObject([
    { engine: "probe", status: "failed", code: "expired" },
  ]);
  const letter = await grave(id);
  expect(letter.headers["x-error-code"]).toBe("expired");
  expect(letter.headers["x-death"]).toBeUndefined();
  expect(JSON.parse(letter.text)).toEqual({ value: "late" });
});

test("a job that expired in the bulk lane is its engine's, and its dead letter says the lane", async () => {
  const properties = { expiration: "1", lane: "bulk" } as const;
  const id = await fleet.publish("probe", "run", { value: "late" }, properties);
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
  expect(await fleet.rows(id)).toMatchObject([{ engine: "probe", code: "expired" }]);
  expect((await grave(id)).headers["x-lane"]).toBe("bulk");
});

test("a job that had succeeded before keeps its result", async () => {
  const worker = await fleet.start(probe);
  const id = await fleet.publish("probe", "run", { value: "done" });
  const first = await fleet.reply(id);
  await worker.stop();
  await fleet.publish(
    "probe",
    "run",
    { value: "done" },
    { messageId: id, correlationId: id, expiration: "1" },
  );
  const again = await fleet.reply(id, 2);
  expect([again.id, again.text]).toEqual([first.id, first.text]);
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded" }]);
});

test("a message without a usable id still reaches the dead letters", async () => {
  const correlationId = fleet.newId();
  await fleet.publish(
    "probe",
    "run",
    {},
    { messageId: "not usable", correlationId, expiration: "1" },
  );
  expect((await fleet.reply(correlationId)).reply).toMatchObject({ error: { code: "expired" } });
  expect((await grave("not usable")).headers["x-error-code"]).toBe("expired");
});

test.each([
  ["a NUL", "probe.\0run.v1"],
  ["a line break", "probe.run.v1\n"],
  ["no room for a reply's ending", "a".repeat(255)],
])("a type with %s is left out of the row", async (_, type) => {
  const id = await fleet.publish("probe", "run", {}, { type, expiration: "1" });
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
  expect(await fleet.rows(id)).toMatchObject([{ type: "", status: "failed", code: "expired" }]);
  await grave(id);
});

test("whatever else a message holds that no text of Postgres can, it is buried all the same", async () => {
  const odd = "\0\ud800\u001f";
  const id = await fleet.publish(
    "probe",
    "run",
    { [odd]: odd },
    {
      contentType: odd,
      contentEncoding: odd,
      headers: { [odd]: odd, traceparent: odd, "x-attempt": odd },
      appId: odd,
      expiration: "1",
    },
  );
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
  expect(await fleet.rows(id)).toMatchObject([{ type: "probe.run.v1", status: "failed" }]);
  expect((await grave(id)).headers["x-error-code"]).toBe("expired");
});

test("a message of an engine that is not of the fleet is kept among the burials' own", async () => {
  const [id, next] = [fleet.newId(), fleet.newId()];
  for (const [messageId, engine] of [
    [id, "gone"],
    [next, "probe"],
  ])
    fleet.channel.publish(fleet.names.burials, "", Buffer.from("{}"), {
      messageId,
      headers: { "x-death": [{ queue: fleet.names.queue(String(engine)), reason: "expired" }] },
    });
  // The other one is not held up by it.
  await grave(String(next));
  const letter = await fleet.until("its dead letter", async () =>
    (await fleet.deadLetters("burials")).find((dead) => dead.id === id),
  );
  expect(letter.headers["x-error-code"]).toBe("expired");
  expect(await fleet.rows(String(id))).toMatchObject([{ engine: "gone", code: "expired" }]);
});
