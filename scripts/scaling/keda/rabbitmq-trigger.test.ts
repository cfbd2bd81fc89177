/** The rabbitmq trigger's metadata: look-up order, defaults, and all that KEDA refuses. */
import { expect, test } from "vitest";
import { goDurationMs } from "./go-values.ts";
import { parseRabbitMqTrigger } from "./rabbitmq-trigger.ts";

const HTTP = "http://guest:guest@broker.invalid/%2Fengine";
const AMQP = "amqp://guest:guest@broker.invalid/%2Fengine";

function parse(
  metadata: Record<string, string> = {},
  authentication: Record<string, string> = {},
  environment: Record<string, string> = {},
) {
  const result = parseRabbitMqTrigger({
    metadata: { queueName: "q", ...metadata },
    authentication: { host: HTTP, ...authentication },
    environment: (name) => environment[name],
  });
  return "trigger" in result
    ? { trigger: result.trigger, faults: [] }
    : { trigger: undefined, faults: result.faults.map(({ message }) => message) };
}

test("looks in metadata, then in the authentication, then in the environment; empty is unset", () => {
  const env = { HOST: "http://environment" };
  expect(parse({ host: "http://metadata", hostFromEnv: "HOST" }, {}, env).trigger?.host).toBe(
    "http://metadata",
  );
  expect(parse({ hostFromEnv: "HOST" }, {}, env).trigger?.host).toBe(HTTP);
  expect(parse({ hostFromEnv: "HOST", host: "" }, { host: "" }, env).trigger?.host).toBe(
    "http://environment",
  );
});

test("user and password from the authentication or the environment, never from metadata", () => {
  const names = { usernameFromEnv: "U", passwordFromEnv: "P" };
  expect(parse(names, {}, { U: "u", P: "p" }).trigger).toMatchObject({
    username: "u",
    password: "p",
  });
  expect(parse({ username: "u" }).faults).toEqual([expect.stringContaining("no parameter")]);
});

test("neither mode nor value nor queueLength: QueueLength with 20", () => {
  expect(parse().trigger).toMatchObject({ mode: "QueueLength", value: 20 });
  expect(parse({ value: "0" }).trigger).toMatchObject({ mode: "QueueLength", value: 20 });
});

test("queueLength alone is QueueLength", () => {
  expect(parse({ queueLength: "7" }).trigger).toMatchObject({ mode: "QueueLength", value: 7 });
});

test.each([
  [{ queueLength: "7", mode: "QueueLength" }, "deprecated"],
  [{ queueLength: "7", value: "7" }, "deprecated"],
  [{ mode: "QueueLength" }, "value must be given"],
  [{ mode: "QueueLength", value: "0" }, "value must be given"],
  [{ value: "5" }, "mode must be given"],
  [{ mode: "Length", value: "5" }, "one of QueueLength, MessageRate"],
  [{ mode: "QueueLength", value: "x" }, 'value is "x"'],
  [{ mode: "QueueLength", value: "-5" }, "needs a positive one"],
  [{ queueLength: "x" }, 'queueLength is "x"'],
  [{ activationValue: "x" }, 'activationValue is "x"'],
  [{ pageSize: "0" }, "should be 1 or greater"],
  [{ pageSize: "1.5" }, "a whole number"],
  [{ mode: "QueueLength", value: "08000" }, 'value is "08000"'],
  [{ mode: "QueueLength", value: "+5" }, 'value is "+5"'],
  [{ mode: "QueueLength", value: ".5" }, 'value is ".5"'],
  [{ mode: "QueueLength", value: "5." }, 'value is "5."'],
  [{ operation: "min" }, "one of sum, avg, max"],
  [{ useRegex: "yes" }, "true or false"],
  [{ timeout: "soon" }, "milliseconds, or a duration"],
  [{ timeout: "-1s" }, "negative"],
  [{ protocol: "https" }, "amqp, http or auto"],
  [{ queueName: "" }, "queueName is missing"],
  [{ queueNames: "q" }, "no parameter of the rabbitmq trigger"],
])("%o: %s", (metadata, message) => {
  expect(parse(metadata).faults).toEqual([expect.stringContaining(message)]);
});

test.each([
  [{ host: "" }, "no host"],
  [{ host: "http://user:a/b@x/%2Fengine" }, "what should be its port is no number"],
  [{ host: "http://user:a^b@x/%2Fengine" }, "must be percent-encoded"],
  [{ host: "http://user:a b@x/%2Fengine" }, "must be percent-encoded"],
  [{ host: "http://user:50%@x/%2Fengine" }, "begins no escape"],
  [{ host: "ftp://x" }, 'scheme "ftp"'],
  [{ tls: "on" }, "enable or disable"],
  [{ cert: "c" }, "cert and key"],
  [{ key: "k" }, "cert and key"],
  [{ username: "u" }, "username and password"],
  [{ password: "p" }, "username and password"],
  [{ clientID: "i" }, "OAuth2 needs"],
  [
    { clientID: "i", clientSecret: "s", oauthTokenURI: "t", username: "u", password: "p" },
    "can't be combined",
  ],
])("authentication %o: %s", (authentication, message) => {
  expect(parse({}, authentication).faults).toEqual([expect.stringContaining(message)]);
});

test("white space around values counts for nothing", () => {
  const spaced = { mode: "QueueLength", value: " 5 ", activationValue: "1 ", pageSize: " 7" };
  expect(parse(spaced).trigger).toMatchObject({ value: 5, activationValue: 1, pageSize: 7 });
});

test.each([
  "http://user:p%2Fss@x/%2Fengine",
  "http://user:p!$&'()*+,;=~:ss@x:15672/%2Fengine",
  "https://[::1]:15671/%2Fengine",
  "http://x",
])("Go reads %s", (host) => {
  expect(parse({}, { host }).faults).toEqual([]);
});

test("a variable that no container has is named", () => {
  const result = parseRabbitMqTrigger({
    metadata: { queueName: "q", hostFromEnv: "BROKER" },
    authentication: {},
    environment: () => undefined,
  });
  expect(result).toMatchObject({ faults: [{ fix: expect.stringContaining("BROKER") }] });
});

test("auto follows the host's scheme", () => {
  expect(parse().trigger?.protocol).toBe("http");
  expect(parse({}, { host: "https://x" }).trigger?.protocol).toBe("http");
  expect(parse({}, { host: AMQP }).trigger?.protocol).toBe("amqp");
  expect(parse({}, { host: "amqps://x" }).trigger?.protocol).toBe("amqp");
});

test.each<Record<string, string>>([
  { mode: "MessageRate", value: "1" },
  { mode: "DeliverGetRate", value: "1" },
  { mode: "PublishedToDeliveredRatio", value: "1" },
  { mode: "ExpectedQueueConsumptionTime", value: "1" },
  { useRegex: "true" },
  { excludeUnacknowledged: "true" },
  { timeout: "1000" },
])("%o needs protocol http", (metadata) => {
  expect(parse(metadata).faults).toEqual([]);
  expect(parse(metadata, { host: AMQP }).faults).toEqual([
    expect.stringContaining("needs protocol http"),
  ]);
});

test("a fault never shows the host's password", () => {
  const { faults } = parse({}, { host: "ftp://user:secret@x" });
  expect(faults.join()).not.toContain("secret");
});

test.each([
  ["1500", 1_500],
  ["5s", 5_000],
  ["1m30s", 90_000],
  ["1.5s", 1_500],
  ["250ms", 250],
  ["5", 5],
  ["10\u03bcs", 0.01],
  ["10\u00b5s", 0.01],
  ["5 s", undefined],
  ["s", undefined],
])("the duration %s", (text, ms) => {
  expect(goDurationMs(text)).toBe(ms);
});
