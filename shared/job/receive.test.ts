/** Receiving without services: whatever a message holds and an engine's own code does, it comes back as a value. */
import type { Options } from "amqplib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Delivery } from "../broker/consume.ts";
import { action, defineWorker, type WorkerDefinition } from "../engine/define-worker.ts";
import { brokerNames } from "../wire/names.ts";
import { receiveBuried } from "./burials.ts";
import { postponed } from "./messages.ts";
import { createReception, receive } from "./receive.ts";
import { parseWith } from "./schema.ts";

const SECRET = "hunter2";
const NOW = Date.UTC(2026, 0, 1);

const EVENT = "thing.made";
const one = (input: z.ZodType, map?: (event: unknown) => unknown): WorkerDefinition =>
  defineWorker({
    name: "picky",
    concurrency: 1,
    timeoutMs: 1_000,
    actions: {
      run: action({ version: 1, input, output: z.unknown(), handle: () => null }),
    },
    on: map === undefined ? {} : { [EVENT]: { action: "run", map } },
  });

const reception = (definition = one(z.unknown())) =>
  createReception({
    definition,
    names: brokerNames("engine"),
    replyToAllow: "*.replies",
    maxAgeMs: 86_400_000,
    runtimeUsers: ["engine.picky", "tl-engine-tools"],
    isPublisherRequired: false,
  });

interface Sent extends Options.Publish {
  body?: string | Buffer;
  delivery?: Partial<Delivery>;
}

function delivered({ body = '{"password":"hunter2"}', delivery = {}, ...properties }: Sent = {}) {
  return {
    message: {
      content: Buffer.from(body),
      fields: {
        redelivered: false,
        ...(properties.type === EVENT
          ? { exchange: "engine.events", routingKey: EVENT }
          : { exchange: "engine.jobs", routingKey: "picky" }),
      },
      properties: {
        messageId: "id-1",
        type: "picky.run.v1",
        contentType: "application/json",
        timestamp: NOW / 1_000,
        headers: {},
        ...properties,
      },
    },
    acks: {},
    lane: "interactive",
    ...delivery,
  } as unknown as Delivery;
}

function problem(sent: Sent, definition?: WorkerDefinition) {
  const received = receive(delivered(sent), reception(definition), NOW);
  return received.kind === "refused" ? received.problem : undefined;
}

const paths = (sent: Sent) => problem(sent)?.details?.map(({ path }) => path);

const unreadable = () =>
  new Proxy(new Error(SECRET), {
    get: () => {
      throw new Error(SECRET);
    },
    getPrototypeOf: () => {
      throw new Error(SECRET);
    },
  });

class Sulky extends Error {
  override get name(): string {
    throw new Error(SECRET);
  }
  override get message(): string {
    throw new Error(SECRET);
  }
}

const thrown: [string, () => unknown][] = [
  ["an error", () => new TypeError(`${SECRET} is no URL`)],
  ["null", () => null],
  ["a text", () => SECRET],
  ["a Proxy", unreadable],
  ["an error whose getters throw", () => new Sulky()],
  ["an object without a prototype", () => Object.create(null)],
];
const throwing = (make: () => unknown) => () => {
  throw make();
};

describe("the engine's own code", () => {
  test.each(thrown)("a schema that throws %s ends the job as invalid_input", (_, make) => {
    const schema = z.unknown().transform(throwing(make));
    const told = problem({}, one(schema));
    expect(told).toMatchObject({
      code: "invalid_input",
      message: expect.stringMatching(
        /^the input of picky\.run can't be checked: its schema itself/,
      ),
    });
    expect(JSON.stringify(told)).not.toContain(SECRET);
  });

  test.each(thrown)("a map that throws %s ends the job as invalid_input", (_, make) => {
    const told = problem({ type: EVENT }, one(z.unknown(), throwing(make)));
    expect(told).toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("the event could not be mapped"),
    });
    expect(JSON.stringify(told)).not.toContain(SECRET);
  });

  test("a map that throws a ZodError tells its issues", () => {
    const map = (event: unknown) => z.object({ id: z.string() }).parse(event);
    const told = problem({ type: EVENT }, one(z.unknown(), map));
    expect(told?.details).toMatchObject([{ path: "id" }]);
  });

  test("a map that returns a promise, even one that fails, ends the job and not the process", async () => {
    const map = () => Promise.reject(new Error(SECRET));
    const told = problem({ type: EVENT }, one(z.unknown(), map));
    expect(told?.message).toBe(
      "the event could not be mapped (map returned a promise; it must be synchronous)",
    );
    await new Promise(setImmediate);
  });

  test("an asynchronous schema that hides it ends the job with the advice", () => {
    const hidden = [
      z.unknown().refine(() => Promise.resolve(true) as unknown as boolean),
      z.unknown().superRefine(async () => {}),
      z.unknown().transform(() => Promise.resolve(1)),
    ];
    for (const schema of hidden)
      expect(problem({}, one(schema))?.message).toBe(
        "the input of picky.run can't be checked: its schema is asynchronous; schemas must be synchronous",
      );
  });

  test("a mapped value with getters that throw, or a Proxy, is refused", () => {
    const schema = z.object({ a: z.string() });
    const odd = [
      {
        get a(): string {
          throw new Error(SECRET);
        },
      },
      new Proxy({}, { get: throwing(() => null), has: throwing(() => null) }),
    ];
    for (const value of odd)
      expect(
        problem(
          { type: EVENT },
          one(schema, () => value),
        )?.code,
      ).toBe("invalid_input");
  });

  test("issues that hold no texts are no trouble", () => {
    const schema = z.unknown().check((payload) => {
      payload.issues.push({
        code: "custom",
        input: payload.value,
        path: [Symbol("s")],
        message: 5 as never,
      });
    });
    expect(problem({}, one(schema))?.code).toBe("invalid_input");
    expect(parseWith(schema, 1, "it")).toMatchObject({ ok: false });
  });
});

describe("all faults at once", () => {
  test("of the envelope", () => {
    const told = problem({
      messageId: "",
      type: "other.run.v1",
      contentType: "text/plain",
      contentEncoding: "gzip",
      replyTo: "engine.picky",
      headers: { CC: "a", "x-dead-letter-exchange": "b", "x-attempt": -1, "x-deadline": "soon" },
      timestamp: NOW,
    });
    expect(told?.code).toBe("invalid_input");
    expect(told?.details?.map(({ path }) => path).sort()).toEqual(
      [
        "content_encoding",
        "content_type",
        "headers",
        "headers",
        "headers.x-attempt",
        "headers.x-deadline",
        "message_id",
        "reply_to",
        "timestamp",
        "type",
      ].sort(),
    );
    expect(told?.message).toMatch(/^10 things are wrong: message_id must be/);
    expect(told?.message.length).toBeLessThan(500);
  });

  test("with those of the body, where it can be read", () => {
    expect(paths({ type: "picky.walk.v1", body: "{" })).toEqual(["type", ""]);
    expect(paths({ contentEncoding: "gzip", body: "{" })).toEqual(["content_encoding"]);
  });

  test("a job too large for its action is still told what else is wrong", () => {
    const told = problem({ headers: { "x-attempt": -1 }, body: " ".repeat(2 * 1024 * 1024) });
    expect(told?.details?.map(({ path }) => path)).toEqual(["headers.x-attempt", ""]);
  });

  test("a single one is the message", () => {
    expect(problem({ type: "picky.walk.v1" })).toEqual({
      code: "unknown_action",
      message: "picky has the actions run",
      details: [{ path: "type", message: "picky has the actions run" }],
    });
  });

  test("a Celery message is named as one", () => {
    const told = problem({
      ...{ messageId: undefined, type: undefined },
      replyTo: "6f1c5b0e-0000-3000-8000-000000000000",
      contentEncoding: "utf-8",
      headers: { lang: "py", task: "app.tasks.add", id: "1", argsrepr: "(1, 2)" },
      body: "[[1, 2], {}, {}]",
    });
    expect(told?.message).toMatch(
      /^this is a Celery message; publish the job as docs\/contract\/README\.md describes: /,
    );
    expect(told?.details?.map(({ path }) => path)).toEqual(["message_id", "reply_to", "type"]);
  });
});

describe("units", () => {
  test.each([
    [
      { headers: { "x-deadline": NOW / 1_000 } },
      "x-deadline looks like seconds; it is epoch milliseconds",
    ],
    [{ timestamp: NOW }, "timestamp looks like milliseconds; it is epoch seconds"],
    [
      { headers: { "x-deadline": Number.MAX_SAFE_INTEGER } },
      "x-deadline must be a whole number of epoch milliseconds",
    ],
  ])("%j", (sent, message) => {
    expect(problem(sent)).toMatchObject({ code: "invalid_input", message });
  });

  test("a replay carries on whatever timestamp its job had", () => {
    expect(
      problem({ timestamp: NOW, userId: "tl-engine-tools", headers: { "x-replay": 1 } }),
    ).toBeUndefined();
  });
});

describe("content type", () => {
  test.each([
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    'application/json; charset="utf-8"',
    'application/json ; Charset="UTF\\-8"',
    'application/json; profile="a;b\\"c"; version=1',
    "application/json;",
    "application/json; ; charset=utf8 ",
  ])("takes %s", (contentType) => {
    expect(problem({ contentType })).toBeUndefined();
  });

  test.each([
    "application/jsonx",
    "application/json charset=utf-8",
    "application/json; charset",
    'application/json; charset="utf-8',
    "application/json; charset=utf-16",
    "application/json; charset=utf-8; charset=latin1",
    "application/problem+json",
    "text/json",
  ])("refuses %s", (contentType) => {
    expect(paths({ contentType })).toEqual(["content_type"]);
  });
});

describe("what the broker's side could not take in", () => {
  const broken = { undecodable: new Error("unknown field type 0x00") };

  test("undecodable headers: invalid_input, without an id or an address", () => {
    const sent = { properties: {}, content: Buffer.from("{}"), fields: {} };
    const delivery = { ...delivered(), message: sent, ...broken } as unknown as Delivery;
    for (const received of [
      receive(delivery, reception(), NOW),
      receiveBuried(delivery, reception()),
    ]) {
      expect(received).toMatchObject({
        kind: "refused",
        id: undefined,
        replyTo: undefined,
        problem: {
          code: "invalid_input",
          message: "the message's headers could not be decoded (unknown field type 0x00)",
        },
      });
      expect(received.inputHash).not.toBe("");
    }
  });

  test("a body that was not gathered: payload_too_large with its size, and no other job's hash", () => {
    const huge = (tooLargeBytes: number) =>
      receive(delivered({ body: "", delivery: { tooLargeBytes } }), reception(), NOW);
    expect(huge(99_000_000)).toMatchObject({
      id: "id-1",
      problem: { code: "payload_too_large", message: expect.stringContaining("99000000 bytes") },
    });
    expect(huge(99_000_000).inputHash).not.toBe(huge(99_000_001).inputHash);
    const buried = receiveBuried(
      delivered({ body: "", delivery: { tooLargeBytes: 9 } }),
      reception(),
    );
    expect(buried.inputHash).not.toBe("");
  });
});

test("an action's name that no action can have leaves no type, to which the reply could add no ending", () => {
  const received = receive(delivered({ type: `picky.${"a".repeat(245)}.v1` }), reception(), NOW);
  expect(received).toMatchObject({ type: "", problem: { code: "invalid_input" } });
});

test("text that grew when it was decoded can't be sent again, so it is left out", () => {
  const received = receive(
    delivered({ replyTo: `${"\ufffd".repeat(83)}.replies` }),
    reception(),
    NOW,
  );
  expect(received).toMatchObject({ replyTo: undefined });
});

test("a correlation id of bytes that are no text is kept as it came", () => {
  const correlationId = Buffer.alloc(90, 0xff);
  const received = receive(delivered({ correlationId: correlationId as never }), reception(), NOW);
  expect(received).toMatchObject({ kind: "job", correlationId });
});

test("whatever a message holds, it is received, and what goes into a row can be stored", () => {
  const odd = fc.oneof(
    fc.anything(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("\0", "\ud800"),
  );
  const names = ["message_id", "x-attempt", "x-crashes", "x-replay", "x-deadline", "x-death", "CC"];
  const sent = fc.record(
    {
      messageId: odd,
      type: odd,
      correlationId: odd,
      replyTo: odd,
      contentType: odd,
      contentEncoding: odd,
      timestamp: odd,
      headers: fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), odd),
      body: fc.oneof(fc.json(), fc.string()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(sent, (message) => {
      const delivery = delivered(message as Sent);
      for (const read of [receive, receiveBuried]) {
        const { engine, id = "", type, inputHash } = read(delivery, reception(), NOW);
        for (const text of [engine, id, type]) {
          expect(text).not.toContain("\0");
          expect(text.isWellFormed()).toBe(true);
        }
        expect(inputHash).toHaveLength(43);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("how often a job went back to the queue is summed up over the messages that it comes in", () => {
  let headers: Record<string, unknown> = {};
  const sums = [0, 3, 2, 0, 5_000, 1].map((count) => {
    const fresh = delivered({
      userId: "engine.picky",
      headers: { ...headers, ...(count && { "x-delivery-count": count }) },
    });
    const received = receive(fresh, reception(), NOW);
    const back = postponed(received, "engine.delay.1s", { attempt: 1, crashes: 0 });
    headers = back.headers ?? {};
    return received.returns;
  });
  // What comes back is bounded, or it would be refused.
  expect(sums).toEqual([0, 3, 5, 5, 5_005, 1_001]);
  // A broker that forgot its count still flags the message; no count is no whole number.
  for (const [count, returns] of [
    [undefined, 1],
    [1.5, 1],
    ["9", 1],
    [4, 4],
  ] as const) {
    const again = delivered({ headers: { "x-delivery-count": count } });
    again.message.fields.redelivered = true;
    expect(receive(again, reception(), NOW)).toMatchObject({ kind: "job", returns });
  }
});

describe("whose job it is", () => {
  const runtime = {
    "x-attempt": 2,
    "x-crashes": 1,
    "x-replay": 3,
    "x-held": "activities bulk 0 1 0 0",
  };
  const take = (sent: Sent) => receive(delivered(sent), reception(), NOW);

  const PASSES_ON = ["engine.picky", "engine.burials", "tl-engine-tools"];
  test.each(PASSES_ON)("%s passes a job on", (userId) => {
    const headers = { ...runtime, "x-publisher": "tl-plane" };
    const told = { publisher: "tl-plane", attempt: 2, crashes: 1, generation: 3 };
    expect(take({ userId, headers })).toMatchObject({ kind: "job", ...told });
    const ofNobody = take({ userId, headers: { ...runtime, "x-publisher": "-" } });
    expect(ofNobody).toMatchObject({ kind: "job", publisher: undefined, generation: 3 });
    expect(take({ userId })).toMatchObject({ kind: "job", publisher: userId });
  });

  test.each([undefined, "mallory", "engine.other"])("%s may not", (userId) => {
    for (const [name, value] of Object.entries({ ...runtime, "x-publisher": "tl-plane" })) {
      const forged = take({ ...(userId && { userId }), headers: { [name]: value } });
      expect(forged).toMatchObject({
        kind: "refused",
        problem: {
          code: "invalid_input",
          details: expect.arrayContaining([expect.objectContaining({ path: `headers.${name}` })]),
        },
        publisher: userId,
        attempt: 1,
        crashes: 0,
        generation: 0,
        runAt: 0,
      });
    }
  });

  test("the id of a schedule's slot, which anybody can know before, is taken by nobody but the runtime", () => {
    const messageId = "picky.nightly:2026-03-29T01:00:00.000Z";
    for (const userId of [undefined, "mallory"])
      expect(take({ messageId, ...(userId && { userId }) })).toMatchObject({
        ...{ kind: "refused", id: undefined },
        problem: { code: "invalid_input", details: [{ path: "message_id" }] },
      });
    const headers = { "x-publisher": "tl-plane" };
    const ofScheduler = take({ messageId, userId: "engine.scheduler", headers });
    expect(ofScheduler).toMatchObject({ kind: "job", id: messageId, publisher: "tl-plane" });
    for (const other of ["other.nightly:2026-03-29T01:00:00.000Z", "picky.nightly:2026-03-29"])
      expect(take({ messageId: other })).toMatchObject({ kind: "job", id: other });
  });

  test("another engine announces events, and orders no job", () => {
    const userId = "engine.other";
    expect(take({ userId })).toMatchObject({
      ...{ kind: "refused", id: undefined },
      problem: { code: "invalid_input", details: [{ path: "user_id" }] },
    });
    const withEvents = reception(one(z.unknown(), (event) => event));
    const event = delivered({ userId, type: EVENT });
    expect(receive(event, withEvents, NOW)).toMatchObject({ kind: "job", publisher: userId });
    // A job that calls itself an event, and one that came by a BCC.
    for (const [exchange, routingKey] of [
      ["engine.jobs", "picky"],
      ["engine.jobs", EVENT],
      ["engine.events", "other.made"],
    ] as const)
      for (const sender of [undefined, "mallory", userId]) {
        const forged = delivered({ ...(sender && { userId: sender }), type: EVENT });
        Object.assign(forged.message.fields, { exchange, routingKey });
        expect(receive(forged, withEvents, NOW)).toMatchObject({
          ...{ kind: "refused", id: undefined },
          problem: { code: "invalid_input", details: [{ path: "type" }] },
        });
      }
    // Its own, over a tier.
    const back = delivered({ userId: "engine.picky", type: EVENT });
    Object.assign(back.message.fields, { exchange: "engine.jobs", routingKey: "picky" });
    expect(receive(back, withEvents, NOW).kind).toBe("job");
    // A publisher's name may begin like the prefix, and a user of nobody's engine may have it whole.
    for (const name of ["engineer", "engine", "engine.Someone", "engine.a.b"])
      expect(take({ userId: name })).toMatchObject({ kind: "job", publisher: name });
  });

  test("a table that hides headers in the prototype is refused, and they are not read", () => {
    const headers = Object.setPrototypeOf({}, { ...runtime, "x-deadline": NOW - 1, CC: "a" });
    for (const userId of ["mallory", "engine.picky"])
      expect(take({ userId, headers })).toMatchObject({
        problem: { code: "invalid_input", details: [{ path: "headers" }] },
        ...{ attempt: 1, crashes: 0, generation: 0, deadline: undefined },
      });
  });

  test("a publisher whose name is none has no row", () => {
    const refused = take({ userId: "a:b" });
    expect(refused).toMatchObject({ id: undefined, problem: { details: [{ path: "user_id" }] } });
  });

  test("where a publisher is required, a job without one is refused and has no row", () => {
    const required = reception();
    required.identity.isRequired = true;
    const refused = receive(delivered(), required, NOW);
    expect(refused).toMatchObject({ id: undefined, problem: { details: [{ path: "user_id" }] } });
    expect(receive(delivered({ userId: "tl-plane" }), required, NOW).kind).toBe("job");
  });

  test("what the broker dropped is still its publisher's, by the word of the engine that held it", () => {
    const headers = {
      ...runtime,
      "x-publisher": "tl-plane",
      "x-death": [{ queue: "engine.other", reason: "expired" }],
    };
    const bury = (userId: string) => receiveBuried(delivered({ userId, headers }), reception());
    expect(bury("engine.other")).toMatchObject({ publisher: "tl-plane", generation: 3 });
    expect(bury("mallory")).toMatchObject({ publisher: "mallory", generation: 0 });
  });

  test("a publisher with reply queues of its own may name no other, and the others not only those", () => {
    const { isReplyToAllowed } = createReception({
      ...{ definition: one(z.unknown()), names: brokerNames("engine"), maxAgeMs: 1 },
      ...{ runtimeUsers: [], isPublisherRequired: false },
      replyToAllow: "*.replies, tl-plane=plane.*,tl-plane=other.replies",
    });
    const allowed = (publisher: string | undefined) =>
      ["plane.x", "other.replies", "mallory.replies", "engine.picky"].filter((replyTo) =>
        isReplyToAllowed(replyTo, publisher),
      );
    expect(allowed("tl-plane")).toEqual(["plane.x", "other.replies"]);
    expect(allowed("mallory")).toEqual(["other.replies", "mallory.replies"]);
    expect(allowed(undefined)).toEqual(["other.replies", "mallory.replies"]);
  });
});
