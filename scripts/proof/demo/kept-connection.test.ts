/** A connection that is lost is set up again, a broker that stays away is given up, and closing ends it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { proxyBefore, type UrlProxy } from "../../../shared/testing/proxy.ts";
import { type KeptConnection, keepConnected } from "./kept-connection.ts";

let proxy: UrlProxy;
let kept: KeptConnection | undefined;
beforeEach(async () => {
  proxy = await proxyBefore(String(process.env.AMQP_URL));
});
afterEach(async () => {
  await kept?.close();
  await proxy.close();
});

const closeOf = (it: KeptConnection) =>
  new Promise((resolve) => it.current()?.once("close", resolve));

/** Calls `onSetUp` each time that a connection stands. */
async function keep(patienceMs: number, onSetUp: () => void = () => {}) {
  const givenUp = Promise.withResolvers<Error>();
  kept = await keepConnected({
    amqpUrl: proxy.url,
    patienceMs,
    async setUp(connection) {
      await connection.createChannel();
      onSetUp();
    },
    onGivenUp: givenUp.resolve,
  });
  return { kept, givenUp: givenUp.promise };
}

test("one that is lost is opened and set up again, also after refusals", async () => {
  let again = Promise.withResolvers<void>();
  const { kept: it } = await keep(60_000, () => again.resolve());
  const first = it.current();
  again = Promise.withResolvers();
  const lost = closeOf(it);
  const refusal = proxy.apply({ kind: "refuse" });
  await lost;
  expect(it.current()).toBeUndefined();
  refusal.remove();
  await again.promise;
  await expect.poll(() => it.current()).toBeDefined();
  expect(it.current()).not.toBe(first);
});

test("a broker that stays away is given up, with the reason", async () => {
  const { givenUp } = await keep(300);
  proxy.apply({ kind: "refuse" });
  expect(await givenUp).toMatchObject({
    name: "BrokerStaysAway",
    message: expect.stringMatching(/did not come back within 0\.3 s \(.+\)/),
  });
});

test("closing a connection that is lost is no error, and nothing comes back", async () => {
  const { kept: it } = await keep(60_000);
  const lost = closeOf(it);
  const refusal = proxy.apply({ kind: "refuse" });
  await lost;
  await it.close();
  refusal.remove();
  expect(it.current()).toBeUndefined();
  expect(proxy.connections()).toBe(0);
});

test("a broker that is not there at the start is an error", async () => {
  proxy.apply({ kind: "refuse" });
  await expect(keep(60_000)).rejects.toThrow();
});
