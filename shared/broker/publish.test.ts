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

test("an idle publisher keeps its connection for longer than a confirm may take", async () => {
  const idle = await open(200);
  const other = await open(200);
  try {
    expect(await idle.publisher.publish(message("then idle"))).toBe("routed");
    // It waits in vain, from now on, for as long as the idle one has nothing to wait for.
    const mute = proxy.apply({ kind: "muteConfirms" });
    expect(await other.publisher.publish(message("muted"))).toBe("routed");
    mute.remove();
    expect(other.lines).toHaveLength(1);
    expect(idle.lines).toEqual([]);
    expect(idle.publisher.ready()).toBe(true);
  } finally {
    await idle.publisher.close();
    await other.publisher.close();
  }
});

test("a publisher that always waits for a confirm, and gets each in time, keeps its connection", async () => {
  const { publisher, lines } = await open(200);
  try {
    const startedAtMs = performance.now();
    let n = 0;
    const lane = async () => {
      while (performance.now() - startedAtMs < 600)
        await publisher.publish(message(`steady-${n++}`));
    };
    // Two of them, so that at no moment all is confirmed.
    await Promise.all([lane(), lane()]);
    expect(lines).toEqual([]);
  } finally {
    await publisher.close();
  }
});
