/** The frames of a message, against amqplib's own encoder. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HEADERS } from "../wire/headers.ts";
import { type Outgoing, publishFrames, TooLong } from "./publish-frames.ts";

const require = createRequire(import.meta.url);
const amqplib = dirname(require.resolve("amqplib"));
const { encodeMethod, encodeProperties, BasicPublish, BasicProperties } = require(
  join(amqplib, "lib/defs.js"),
);
const { makeBodyFrame } = require(join(amqplib, "lib/frame.js"));

/** As amqplib's Connection sends it. */
function byAmqplib(channel: number, frameMax: number, outgoing: Outgoing, number: number): Buffer {
  const body = Buffer.from(outgoing.body as string);
  const properties = {
    contentType: "application/json",
    deliveryMode: 2,
    userId: USER,
    appId: "tl-engine",
    ...outgoing,
    headers: withoutInt16({
      ...outgoing.headers,
      ...(outgoing.mandatory && { [HEADERS.publish]: number }),
    }),
  };
  const bodies: Buffer[] = [];
  for (let from = 0; from < body.length; from += frameMax - 8)
    bodies.push(makeBodyFrame(channel, body.subarray(from, from + frameMax - 8)));
  return Buffer.concat([
    encodeMethod(BasicPublish, channel, outgoing),
    encodeProperties(BasicProperties, channel, body.length, properties),
    ...bodies,
  ]);
}

/** What amqplib would write as `s`, which py-amqp reads as a text: it then loses its place in the frame. */
const withoutInt16 = (headers: Record<string, string | number>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const isShort = Number.isInteger(value) && Math.abs(Number(value) + 0.5) < 0x8000;
      const isByte = Math.abs(Number(value) + 0.5) < 0x80;
      return [name, isShort && !isByte ? { "!": "int32", value } : value];
    }),
  );

const USER = "ñandú";
const MAX_SHORT_BYTES = 255;
const unicode = (maxLength: number) => fc.string({ unit: "binary", maxLength });
const short = fc.oneof(fc.string({ maxLength: 60 }), unicode(60)).filter((text) => {
  return Buffer.byteLength(text) <= MAX_SHORT_BYTES && text.isWellFormed();
});
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const value = fc.oneof(
  short,
  fc.maxSafeInteger(),
  fc.integer({ min: -70_000, max: 70_000 }),
  // Whole numbers are integers on the wire; amqplib takes huge fractions, which there are none of, for such too.
  fc.double({ noNaN: true, min: -1e9, max: 1e9 }).filter((number) => !Number.isInteger(number)),
);
const message: fc.Arbitrary<Outgoing> = fc.record(
  {
    exchange: short,
    routingKey: short,
    mandatory: fc.boolean(),
    body: fc.oneof(
      unicode(300),
      fc.integer({ max: 200_000, min: 0 }).map((n) => "ñ".repeat(n)),
    ),
    headers: fc.dictionary(
      short.filter((name) => name !== "__proto__"),
      value,
      { maxKeys: 6 },
    ),
    contentType: short,
    correlationId: maybe(short),
    replyTo: maybe(short),
    messageId: maybe(short),
    timestamp: fc.nat({ max: 2 ** 40 }),
    type: maybe(short),
  },
  {
    requiredKeys: ["exchange", "routingKey", "mandatory", "body", "messageId", "type", "timestamp"],
  },
);

test("any messages come out byte for byte as amqplib sends them, in order, in one piece a turn", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(message, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 2047 }),
      fc.constantFrom(4_096, 131_072),
      async (turns, channel, frameMax) => {
        const pieces: Buffer[] = [];
        const copies: Buffer[] = [];
        let queued = 0;
        const queue = publishFrames(channel, frameMax, USER, (bytes) => {
          pieces.push(bytes);
          copies.push(Buffer.from(bytes));
        });
        for (const messages of turns) {
          for (const each of messages) queue(each, ++queued);
          await new Promise(setImmediate);
        }
        const expected = Buffer.concat(
          turns.flat().map((each, n) => byAmqplib(channel, frameMax, each, n + 1)),
        );
        expect(Buffer.concat(copies).equals(expected)).toBe(true);
        // Nothing that was handed on changes later.
        expect(Buffer.concat(pieces).equals(expected)).toBe(true);
        const total = turns.flat().reduce((sum, { body }) => sum + body.length, 0);
        if (total < 1_000) expect(pieces.length).toBeLessThanOrEqual(turns.length);
      },
    ),
    { numRuns: 300 },
  );
});

const PLAIN: Outgoing = {
  exchange: "",
  routingKey: "replies",
  mandatory: true,
  body: "{}",
  headers: { "x-attempt": 1 },
  messageId: "one",
  timestamp: 1_700_000_000,
  type: undefined,
};

test("a text that is too long leaves nothing of its message behind", async () => {
  const pieces: Buffer[] = [];
  const queue = publishFrames(1, 4_096, USER, (bytes) => pieces.push(bytes));
  queue(PLAIN, 1);
  expect(() => queue({ ...PLAIN, correlationId: "ñ".repeat(128) }, 2)).toThrow(TooLong);
  expect(() => queue({ ...PLAIN, headers: { ["h".repeat(256)]: 1 } }, 3)).toThrow(TooLong);
  queue({ ...PLAIN, correlationId: `${"ñ".repeat(127)}n` }, 70_000);
  await new Promise(setImmediate);
  const expected = [PLAIN, { ...PLAIN, correlationId: `${"ñ".repeat(127)}n` }];
  expect(Buffer.concat(pieces)).toEqual(
    Buffer.concat(expected.map((each, n) => byAmqplib(1, 4_096, each, n === 0 ? 1 : 70_000))),
  );
});

test("bodies that are buffers come out like those that are texts", async () => {
  for (const body of ["", "ñandú", "x".repeat(10_000)]) {
    const pieces: Buffer[] = [];
    const queue = publishFrames(7, 4_096, USER, (bytes) => pieces.push(bytes));
    queue({ ...PLAIN, body: Buffer.from(body) }, 5);
    await new Promise(setImmediate);
    expect(Buffer.concat(pieces)).toEqual(byAmqplib(7, 4_096, { ...PLAIN, body }, 5));
  }
});
