/** The management API: the real broker's answers, and those of a small server for what it would not say. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { askTrigger, managementUrl } from "./management.ts";
import type { RabbitMqTrigger } from "./scaled-object.ts";
import { scaledObjectOf } from "./testing/scaled-object.ts";

const triggerOf = (parts: Partial<RabbitMqTrigger>) => ({
  ...(scaledObjectOf({}).triggers[0] as RabbitMqTrigger),
  ...parts,
});

describe("the URL", () => {
  const urlOf = (parts: Partial<RabbitMqTrigger>) => managementUrl(triggerOf(parts)).href;
  test.each([
    ["http://u:p@h/%2Fengine", undefined, "http://u:p@h/api/queues/%2Fengine/q"],
    ["http://u:p@h/engine", undefined, "http://u:p@h/api/queues/engine/q"],
    ["http://u:p@h", undefined, "http://u:p@h/api/queues/%2F/q"],
    ["http://u:p@h/", undefined, "http://u:p@h/api/queues/%2F/q"],
    ["http://h/", "/engine", "http://h/api/queues/%2Fengine/q"],
    ["http://h/other", "/engine", "http://h/api/queues/%2Fengine/q"],
    ["http://h/a/b/%2Fengine", undefined, "http://h/a/b/api/queues/%2Fengine/q"],
    ["http://h/a/b/other", "/engine", "http://h/a/b/api/queues/%2Fengine/q"],
  ])("%s with vhostName %s", (host, vhostName, expected) => {
    expect(urlOf({ host, queueName: "q", ...(vhostName && { vhostName }) })).toBe(expected);
  });
  test("user and password replace those of the host", () => {
    expect(urlOf({ host: "http://a:b@h/v", queueName: "q", username: "u@", password: "p/" })).toBe(
      "http://u%40:p%2F@h/api/queues/v/q",
    );
  });
  test("a pattern", () => {
    expect(urlOf({ host: "http://h/%2Fengine", queueName: "^engine\\..*", useRegex: true })).toBe(
      "http://h/api/queues/%2Fengine?page=1&use_regex=true&pagination=false&name=%5Eengine%5C..%2A&page_size=100",
    );
  });
});

describe("a server of our own", () => {
  let server: Server;
  let origin: string;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  beforeAll(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const says = (body: unknown, status = 200) => {
    answer = (_, response) => response.writeHead(status).end(JSON.stringify(body));
  };
  const ask = (parts: Partial<RabbitMqTrigger> = {}) =>
    askTrigger(triggerOf({ host: `${origin}/%2Fengine`, ...parts }));

  // As LavinMQ 2.9 answers.
  const LAVINMQ = {
    name: "engine.activities",
    durable: true,
    vhost: "/engine",
    messages: 7,
    unacked: 3,
    messages_unacknowledged: 3,
    ready: 4,
    messages_ready: 4,
    consumers: 1,
    state: "running",
    message_stats: {
      publish: 20,
      publish_details: { rate: 6 },
      deliver_get: 13,
      deliver_get_details: { rate: 2 },
    },
  };

  test("ready and unacked, or ready alone", async () => {
    says(LAVINMQ);
    expect(await ask()).toEqual({ value: 7, active: true });
    expect(await ask({ excludeUnacknowledged: true })).toEqual({ value: 4, active: true });
  });

  test.each([
    ["QueueLength", 7, { value: 7, active: false }],
    ["QueueLength", 6.5, { value: 7, active: true }],
    ["MessageRate", 5, { value: 6, active: true }],
    ["MessageRate", 6.5, { value: 6, active: true }],
    ["MessageRate", 7, { value: 6, active: false }],
    ["DeliverGetRate", 1, { value: 2, active: true }],
    ["DeliverGetRate", 2, { value: 2, active: false }],
    ["PublishedToDeliveredRatio", 2, { value: 3, active: true }],
    ["PublishedToDeliveredRatio", 3, { value: 3, active: false }],
    ["ExpectedQueueConsumptionTime", 5, { value: 5.5, active: true }],
    ["ExpectedQueueConsumptionTime", 6, { value: 5.5, active: false }],
  ] as const)("%s above %f", async (mode, activationValue, expected) => {
    says(LAVINMQ);
    expect(await ask({ mode, activationValue })).toEqual(expected);
  });

  test("nothing delivered: active, with the activation's value", async () => {
    says({ ...LAVINMQ, message_stats: { publish_details: { rate: 6 } } });
    for (const mode of ["PublishedToDeliveredRatio", "ExpectedQueueConsumptionTime"] as const)
      expect(await ask({ mode, activationValue: 4 })).toEqual({ value: 4, active: true });
  });

  test("a queue without figures is empty to KEDA, and that is said", async () => {
    const doubt = "the answer for engine.activities has no figures: KEDA takes 0";
    says({ name: "engine.activities" });
    expect(await ask()).toEqual({ value: 0, active: false, doubt });
    says({ name: "engine.activities", messages: null });
    expect(await ask()).toEqual({ value: 0, active: false, doubt });
    says({ items: [], page_count: 0 });
    expect(await ask({ useRegex: true })).toEqual({
      value: 0,
      active: false,
      doubt: "no queue matches engine.activities: KEDA takes 0",
    });
  });

  test.each([
    ["sum", 15],
    ["avg", 7],
    ["max", 8],
  ] as const)("a pattern's %s", async (operation, value) => {
    says({ items: [LAVINMQ, { messages: 8 }], page_count: 1 });
    expect(await ask({ useRegex: true, operation })).toEqual({ value, active: true });
  });

  test.each([
    [{ messages: "7" }, "messages of the answer is no whole number"],
    [{ messages: 7.5 }, "messages of the answer is no whole number"],
    [{ message_stats: { publish_details: { rate: true } } }, "publish_details.rate"],
    [[], "the answer is no object"],
  ])("the wrong shape %o is an error", async (body, message) => {
    says(body);
    expect(await ask()).toEqual({ error: expect.stringContaining(message) });
  });

  test("redirects are followed, with the credentials to the same host, and not for ever", async () => {
    answer = (request, response) => {
      if (request.url?.startsWith("/moved")) {
        const isKnown = request.headers.authorization !== undefined;
        response.end(JSON.stringify({ messages: isKnown ? 9 : 0 }));
      } else response.writeHead(307, { location: "/moved/queue" }).end();
    };
    expect(await ask()).toEqual({ value: 9, active: true });
    answer = (_, response) => response.writeHead(302, { location: "/again" }).end();
    expect(await ask()).toEqual({ error: "stopped after 10 redirects" });
  });

  test("a pattern without queues is empty", async () => {
    says({ items: [], page_count: 1 });
    for (const operation of ["sum", "avg", "max"] as const)
      expect(await ask({ useRegex: true, operation })).toMatchObject({ value: 0, active: false });
  });

  test("a pattern over more than one page is an error", async () => {
    says({ items: [LAVINMQ], page_count: 2 });
    expect(await ask({ useRegex: true })).toEqual({
      error: expect.stringContaining("more queues"),
    });
  });

  test.each([401, 404, 500])("status %i is an error, and shows no password", async (status) => {
    says({ error: "reason" }, status);
    const reading = await ask({ username: "user", password: "hidden" });
    expect(reading).toEqual({ error: expect.stringContaining(`answers ${status}`) });
    expect(JSON.stringify(reading)).not.toContain("hidden");
  });

  test("no JSON, a silent server, and no server are errors", async () => {
    answer = (_, response) => response.end("<html>");
    expect(await ask()).toEqual({ error: expect.stringContaining("no JSON") });
    answer = () => {};
    expect(await ask({ timeoutMs: 50 })).toEqual({ error: "no answer within the timeout" });
    expect(await ask({ host: "http://127.0.0.1:1/" })).toEqual({
      error: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("the credentials are sent", async () => {
    let sent: string | undefined;
    answer = (request, response) => {
      sent = request.headers.authorization;
      response.end("{}");
    };
    await ask();
    expect(sent).toBe(`Basic ${btoa("guest:guest")}`);
  });
});

describe.runIf(process.env.RABBITMQ_MANAGEMENT_URL)("the real broker", () => {
  let fleet: TestFleet | undefined;
  afterEach(async () => fleet?.close());

  test("its figure follows the queue; a missing queue is an error", async () => {
    fleet = await openTestFleet([]);
    const { channel, until } = fleet;
    const queueName = `${fleet.names.jobs}.asked`;
    await channel.assertQueue(queueName, { durable: true, arguments: { "x-expires": 600_000 } });
    const amqp = new URL(process.env.AMQP_URL ?? "");
    const host = `${process.env.RABBITMQ_MANAGEMENT_URL}${amqp.pathname}`;
    const ask = (parts: Partial<RabbitMqTrigger> = {}) =>
      askTrigger(triggerOf({ host, queueName, ...parts }));

    for (let i = 0; i < 3; i++) channel.sendToQueue(queueName, Buffer.from("x"));
    await channel.waitForConfirms();
    const got = await channel.get(queueName);
    const figure = (parts: Partial<RabbitMqTrigger>, value: number) =>
      until(`a figure of ${value}`, async () => {
        const reading = await ask(parts);
        return "value" in reading && reading.value === value ? true : undefined;
      });
    await figure({}, 3);
    await figure({ excludeUnacknowledged: true }, 2);
    await figure({ useRegex: true, queueName: `^${queueName.replaceAll(".", "\\.")}$` }, 3);
    if (got) channel.nack(got);
    await channel.deleteQueue(queueName);
    expect(await ask()).toEqual({ error: expect.stringContaining("answers 404") });
  });
});
