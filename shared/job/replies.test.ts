/** What a reply has is what the contract says that it has, however its job ended. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readReply } from "../client/replies.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { ERROR_CODES } from "../wire/error-codes.ts";

const contract = readFileSync(new URL("../../docs/contract/README.md", import.meta.url), "utf8");
const section = contract.split("\n## A reply\n")[1]?.split("\n### ")[0] ?? "";
/** First cells of its first table, as AMQP names them. */
const documented = [...section.matchAll(/^\| ((?:header )?)`([\w-]+)` \| (.*) \|$/gm)]
  .filter(([, , name = ""]) => !Object.hasOwn(ERROR_CODES, name))
  .map(([, header, name, value = ""]) => ({ name: `${header}${name}`, value }));

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.start(probe);
});
afterAll(() => fleet?.close());

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const headers = { traceparent: TRACE };

/** The type of the job, and how it ends. */
const ENDINGS: [string, unknown, Record<string, unknown>, string][] = [
  ["succeeded", {}, {}, "probe.run.v1.result"],
  ["after a retry", { failures: 1 }, {}, "probe.run.v1.result"],
  ["rejected", { do: "reject" }, {}, "probe.run.v1.error"],
  ["invalid_output", { do: "bad-output" }, {}, "probe.run.v1.error"],
  ["attempts_exhausted", { failures: 9 }, {}, "probe.run.v1.error"],
  ["bad input", { value: 1 }, {}, "probe.run.v1.error"],
  ["bad JSON", {}, { body: Buffer.from("{") }, "probe.run.v1.error"],
  ["expired", {}, { headers: { ...headers, "x-deadline": 1 } }, "probe.run.v1.error"],
  ["another content type", {}, { contentType: "text/plain" }, "probe.run.v1.error"],
  ["no such action", {}, { type: "probe.walk.v1" }, "probe.walk.v1.error"],
  ["no such version", {}, { type: "probe.run.v9" }, "probe.run.v9.error"],
  ["another engine's type", {}, { type: "other.run.v1" }, "other.run.v1.error"],
  ["a type of another form", {}, { type: "send mail" }, "send mail.error"],
  ["no type", {}, { type: undefined }, "probe.error"],
  ["a type that is too long", {}, { type: "t".repeat(249) }, "probe.error"],
  ["a type with a line of its own", {}, { type: "a\nb" }, "probe.error"],
];

describe.each(ENDINGS)("the reply to a job: %s", (_, input, properties, type) => {
  test("has the type and the properties of the contract, and our client reads it", async () => {
    const id = await fleet.publish("probe", "run", input, { headers, ...properties });
    const seen = await fleet.reply(id);
    expect(seen.type).toBe(type);
    const { headers: has, ...plain } = seen.properties;
    const names = [
      ...Object.entries(plain)
        .filter(([, value]) => value !== undefined)
        .map(([name]) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
      ...Object.keys(has ?? {}).map((name) => `header ${name}`),
    ];
    expect(names.toSorted()).toEqual(documented.map(({ name }) => name).toSorted());
    expect(plain).toMatchObject({
      ...{ contentType: "application/json", deliveryMode: 2, appId: "tl-engine" },
      ...{ userId: new URL(fleet.config.AMQP_URL).username || "guest", correlationId: id },
    });
    expect(has).toMatchObject({ traceparent: TRACE });
    const message = { properties: seen.properties, bodyString: () => seen.text };
    expect(readReply(message as never)).toMatchObject({ id, engine: "probe", ...seen.reply });
  });
});

test("the contract's rule for the type is the one that is tried here", () => {
  const rule = documented.find(({ name }) => name === "type")?.value;
  expect(rule).toMatch(
    /^the job's, with `\.result` or `\.error` after it; `<engine>\.error` where/,
  );
});
