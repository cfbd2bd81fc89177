/** What is closed has ended in time, whether the broker answers or is gone. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog } from "../process/log.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { proxyBefore, type UrlProxy } from "../testing/proxy.ts";
import { closeChannel, closeConnection, openConnection } from "./connection.ts";
import { openConsumer } from "./consume.ts";

let fleet: TestFleet;
let proxy: UrlProxy;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  proxy = await proxyBefore(fleet.config.AMQP_URL);
});
afterAll(async () => {
  await proxy?.close();
  await fleet?.close();
});

/** Beyond the 5 s for the end of a connection, and far below two heartbeats. */
const IN_TIME_MS = 15_000;

test("a consumer ends though neither channel's end is answered", {
  timeout: 2 * IN_TIME_MS,
}, async () => {
  const consumer = await openConsumer(
    { ...fleet.config, AMQP_URL: proxy.url },
    {
      engine: probe.name,
      ...{ prefetch: 2, bulkPrefetch: 2, log: createLog({}, "silent") },
      onDelivery() {},
      onStaleAck() {},
    },
  );
  await consumer.start();
  const hole = proxy.apply({ kind: "blackHole" });
  const beganMs = performance.now();
  await consumer.close();
  expect(performance.now() - beganMs).toBeLessThan(IN_TIME_MS);
  hole.remove();
});

test("a channel has ended when its connection is lost while it is closed", async () => {
  const { model } = await openConnection({ ...fleet.config, AMQP_URL: proxy.url }, "closing");
  model.on("error", () => {});
  const channel = await model.createChannel();
  channel.on("error", () => {});
  const hole = proxy.apply({ kind: "blackHole" });
  const ended = closeChannel(channel);
  proxy.reset();
  await ended;
  hole.remove();
  await closeConnection(model);
});
