/** The worker's publisher on a broker that keeps its connection alive and confirms nothing on it. */
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { proxyBefore, type UrlProxy } from "../testing/proxy.ts";
import { openPublisher } from "./publish.ts";
import type { Outgoing } from "./publish-frames.ts";

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

async function open(confirmTimeoutMs: number) {
  const lines: { msg: string; err?: { message: string } }[] = [];
  const log = pino({ level: "warn" }, { write: (line) => lines.push(JSON.parse(line)) });
  const config = { ...fleet.config, AMQP_URL: proxy.url };
  return { publisher: await openPublisher(config, "probe", log, confirmTimeoutMs), lines };
}

const message = (id: string): Outgoing => ({
  exchange: "",
  routingKey: fleet.replyTo,
  body: "{}",
  messageId: id,
  type: "probe.run.v1.result",
  correlationId: id,
  mandatory: true,
});

test("a connection that confirms nothing is replaced, and what was sent on it is sent again", async () => {
  const { publisher, lines } = await open(600);
  try {
    expect(await publisher.publish(message("before"))).toBe("routed");
    const mute = proxy.apply({ kind: "muteConfirms" });
    const ids = Array.from({ length: 20 }, (_, i) => `muted-${i}`);
    const startedAtMs = performance.now();
    const published = await Promise.all(ids.map((id) => publisher.publish(message(id))));
    expect(performance.now() - startedAtMs).toBeGreaterThan(600);
    expect(new Set(published)).toEqual(new Set(["routed"]));
    // One line for all that waited, and it says why.
    expect(lines).toMatchObject([
      {
        msg: expect.stringContaining("link lost"),
        err: { message: expect.stringContaining("600 ms") },
      },
    ]);
    mute.remove();
    expect(await publisher.publish(message("after"))).toBe("routed");
    await fleet.until("all arrived", () =>
      [...ids, "before", "after"].every((id) =>
        fleet.replies.some(({ correlationId }) => correlationId === id),
      )
        ? true
        : undefined,
    );
  } finally {
    await publisher.close();
  }
});

test("an idle publisher, and one that is confirmed in time, keep their connection", async () => {
  const { publisher, lines } = await open(200);
  try {
    for (let n = 0; n < 8; n++) {
      await publisher.publish(message(`steady-${n}`));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(lines).toEqual([]);
  } finally {
    await publisher.close();
  }
});
