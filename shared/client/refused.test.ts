/** Publishes that the broker refuses: what can never go says so, what can't go now waits, and the others go. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "./client.ts";
import { contractOf } from "./contract-of.ts";
import type { ConnectOptions } from "./options.ts";
import { type Broker, CAN_OWN_BROKER, ownBroker } from "./testing/broker.ts";
import { ECHO } from "./testing/contract.ts";
import { startFullBroker } from "./testing/full-broker.ts";
import { declareTopology, removeTopology, type StandIn, startStandIn } from "./testing/worker.ts";

const prefix = `r${randomBytes(4).toString("hex")}`;
const amqpUrl = process.env.AMQP_URL ?? "";

async function open(options: Partial<ConnectOptions> & { contract?: typeof ECHO } = {}) {
  const trouble: string[] = [];
  const onTrouble = (event: string) => void trouble.push(event);
  const client = await connect({ amqpUrl, prefix, contract: ECHO, onTrouble, ...options });
  return { client, trouble };
}

describe("a broker whose disk is full (LavinMQ: 406 at each publish)", () => {
  let worker: StandIn;
  beforeAll(async () => {
    await declareTopology(amqpUrl, prefix);
    worker = await startStandIn(amqpUrl, prefix);
  });
  afterAll(async () => {
    await worker?.close();
    await removeTopology(amqpUrl, prefix);
  });

  test("says so, tries later and later, tells of it once, and works again after it", async () => {
    const broker = await startFullBroker(amqpUrl);
    const { client, trouble } = await open({ amqpUrl: broker.url, publishTimeoutMs: 4_000 });
    await using _ = client;
    await client.call("echo", "say", { value: 1 });
    broker.isFull = true;
    const sends = [1, 2, 3].map((value) =>
      client.send("echo", "say", { value }).catch((error) => error),
    );
    const [first, second] = await Promise.all(sends);
    // Of those that were under way together it is not known which one was refused.
    for (const error of [first, second])
      expect(error).toMatchObject({ name: "BrokerUnavailable", code: "broker_blocked" });
    const alone = await client.send("echo", "say", { value: 4 }).catch((error) => error);
    expect(alone).toMatchObject({ code: "broker_blocked", maybeAccepted: false });
    expect(alone.message).toMatch(/Server low on disk space.*free some; then send it again/);
    const gaps = broker.refusedAt.slice(1).map((at, i) => at - (broker.refusedAt[i] as number));
    expect(broker.refusedAt.length).toBeLessThan(9);
    expect(Math.max(...gaps)).toBeGreaterThan(1_500);
    const waiting = client.call("echo", "say", { value: 5 });
    broker.isFull = false;
    expect(await waiting).toEqual({ value: 5 });
    expect(trouble).toEqual(["publish_refused"]);
    broker.isFull = true;
    await client.send("echo", "say", { value: 6 }).catch(() => {});
    expect(trouble).toEqual(["publish_refused", "publish_refused"]);
    broker.close();
  }, 60_000);

  test("a refusal without a known reason hits the one that causes it, not those beside it", async () => {
    const broker = await startFullBroker(amqpUrl);
    broker.text = "PRECONDITION_FAILED - something new";
    const { client } = await open({ amqpUrl: broker.url });
    await using _ = client;
    broker.isFull = true;
    const error = await client.send("echo", "say", { value: 1 }).catch((error) => error);
    expect(error).toMatchObject({ code: "broker_refused", maybeAccepted: false });
    expect(error.message).toMatch(/something new/);
    const sends = [2, 3, 4].map((value) => client.send("echo", "say", { value }));
    const outcome = Promise.allSettled(sends);
    while (broker.refusedAt.length < 3) await new Promise(setImmediate); // Together, then one alone.
    broker.isFull = false;
    const settled = (await outcome).map(({ status }) => status);
    expect(settled).toEqual(["rejected", "fulfilled", "fulfilled"]);
    broker.close();
  }, 30_000);
});

describe.skipIf(!CAN_OWN_BROKER)("a broker with a small max_message_size", () => {
  let broker: Broker;
  let worker: StandIn;
  const say = { version: 1, input: ECHO, output: ECHO, maxInputBytes: 10_000_000 };
  const LARGE = contractOf({ name: "echo", actions: { say } });
  beforeAll(async () => {
    broker = await ownBroker();
    await broker.control("eval", "application:set_env(rabbit, max_message_size, 50000).");
    await declareTopology(broker.url, prefix);
    worker = await startStandIn(broker.url, prefix);
  });
  afterAll(async () => {
    await worker?.close();
    await broker?.remove();
  });

  test.each([60_000, 8_000_000])(
    "a body of %d bytes is refused with the limit, and all others go",
    async (bytes) => {
      const { client, trouble } = await open({ amqpUrl: broker.url, contract: LARGE as never });
      await using _ = client;
      const send = client.send.bind(client) as (...args: unknown[]) => Promise<unknown>;
      const input = (value: number, size: number) => ({ value, filling: "x".repeat(size) });
      const sends = Array.from({ length: 200 }, (_, value) =>
        send("echo", "say", input(value, value % 20 === 7 ? bytes : 10)),
      );
      const calls = [1, 2, 3].map((value) => client.call("echo", "say", { value } as never));
      const settled = await Promise.allSettled(sends);
      for (const [index, outcome] of settled.entries()) {
        if (index % 20 !== 7) expect(outcome.status).toBe("fulfilled");
        else
          expect((outcome as PromiseRejectedResult).reason).toMatchObject({
            name: "InvalidArgument",
            code: "payload_too_large",
            message: expect.stringMatching(/bytes: the broker's limit is 50000/),
          });
      }
      expect(await Promise.all(calls)).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }]);
      expect(trouble).toEqual([]);
    },
    30_000,
  );
});
