/** Whatever a handler throws or returns, its job ends, within its attempts, and its neighbours run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { Reject, RetryLater } from "../engine/errors.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const never = (): never => {
  throw new Error("reading this throws");
};
const getter = (key: string) => Object.defineProperty(new Error("x"), key, { get: never });

/** What people throw, and what libraries do. */
const THROWN: Record<string, () => unknown> = {
  "an error whose message is an object": () =>
    Object.assign(new Error("x"), { message: { statusCode: 400, error: "Bad Request" } }),
  "an error whose stack is no text": () => Object.assign(new Error("x"), { stack: [1, 2] }),
  "an error whose message can't be read": () => getter("message"),
  "an error whose stack can't be read": () => getter("stack"),
  "an error without a prototype": () => Object.assign(Object.create(null), { message: "bare" }),
  "a proxy that refuses everything": () =>
    new Proxy({}, { get: never, getPrototypeOf: never, has: never, ownKeys: never }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  undefined: () => undefined,
  null: () => null,
  "a symbol": () => Symbol("x"),
  "a bigint": () => 1n,
  "a cycle": () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  },
  "an error whose cause is itself": () => {
    const error = new Error("x");
    error.cause = error;
    return error;
  },
  "a message with a NUL and half a character": () => new Error("a\u0000b\ud800"),
  "RetryLater(NaN)": () => Object.assign(new RetryLater(1), { delayMs: Number.NaN }),
  "RetryLater(-1)": () => Object.assign(new RetryLater(1), { delayMs: -1 }),
  "RetryLater(Infinity)": () => Object.assign(new RetryLater(1), { delayMs: Infinity }),
};

/** How often each job's handler ended its own session. */
const endings = new Map<string, number>();

const odd = defineWorker({
  name: "odd",
  concurrency: 4,
  timeoutMs: 3_000,
  maxAttempts: 1,
  transactions: 1,
  actions: {
    throws: action({
      version: 1,
      input: z.object({ what: z.string(), late: z.boolean() }),
      output: z.object({}),
      handle: ({ what, late }) => {
        const thrown = THROWN[what]?.();
        if (late) return Promise.reject(thrown);
        throw thrown;
      },
    }),
    returns: action({
      version: 1,
      input: z.object({ what: z.string() }),
      output: z.object({ ran: z.number() }),
      handle: async ({ what }, job) => {
        switch (what) {
          case "a thenable that runs when it is awaited":
            // Drizzle's and knex's queries are such.
            // biome-ignore lint/suspicious/noThenProperty: that is what it is about
            return { then: (take: (x: { ran: number }) => void) => take({ ran: 1 }) } as never;
          case "a bigint":
            return { ran: 1n } as never;
          case "a failed transaction":
            await (await job.tx()).query("select 1/0").catch(() => {});
            return { ran: 1 };
          case "a constraint that fails at commit": {
            const tx = await job.tx();
            await tx.query(
              "create temp table late (x int unique deferrable initially deferred) on commit drop",
            );
            await tx.query("insert into late values (1), (1)");
            return { ran: 1 };
          }
          case "a transaction that nobody awaits":
            void job.tx();
            return { ran: 1 };
          default:
            return { ran: 1 };
        }
      },
    }),
    plain: action({
      version: 1,
      input: z.object({}),
      output: z.object({ ran: z.number() }),
      // biome-ignore lint/suspicious/noThenProperty: that is what it is about
      handle: () => ({ then: (take: (x: { ran: number }) => void) => take({ ran: 2 }) }) as never,
    }),
    ends: action({
      version: 1,
      input: z.object({ goesOn: z.boolean() }),
      output: z.object({}),
      async handle({ goesOn }, job) {
        endings.set(job.id, (endings.get(job.id) ?? 0) + 1);
        const ended = job.db.query("select pg_terminate_backend(pg_backend_pid())");
        if (!goesOn) await ended;
        await ended.catch(() => {});
        await job.db.query("select 1");
        throw new Error("the handler's own");
      },
    }),
    rejects: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      handle: () => {
        throw new Reject("no", { details: [{ path: 1 }, { path: "a", message: "b" }] as never });
      },
    }),
  },
});

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([odd]);
  await fleet.start(odd);
});
afterAll(() => fleet?.close());

async function endOf(actionName: string, input: unknown) {
  const id = await fleet.publish("odd", actionName, input);
  const { reply } = await fleet.reply(id);
  expect(await fleet.rows(id)).toMatchObject([{ status: reply.status }]);
  return reply;
}

describe.each(Object.keys(THROWN))("a handler that throws %s", (what) => {
  test.each([false, true])("is a counted attempt (after a promise: %s)", async (late) => {
    expect(await endOf("throws", { what, late })).toMatchObject({
      status: "failed",
      error: { code: "attempts_exhausted", attempt: 1, message: expect.any(String) },
    });
  });
});

describe("a handler that returns", () => {
  test("a thenable has it awaited", async () => {
    const what = "a thenable that runs when it is awaited";
    expect(await endOf("returns", { what })).toEqual({ status: "succeeded", output: { ran: 1 } });
  });

  test("a thenable, and is no async function, has it awaited", async () => {
    expect(await endOf("plain", {})).toEqual({ status: "succeeded", output: { ran: 2 } });
  });

  test("what JSON can't say ends as invalid_output", async () => {
    const reply = await endOf("returns", { what: "a bigint" });
    expect(reply).toMatchObject({ status: "failed", error: { code: "invalid_output" } });
  });

  test("out of a transaction that has failed ends as an attempt", async () => {
    const reply = await endOf("returns", { what: "a failed transaction" });
    expect(reply).toMatchObject({ error: { code: "attempts_exhausted", attempt: 1 } });
  });

  test("and breaks a constraint that is checked at the commit ends as an attempt", async () => {
    const reply = await endOf("returns", { what: "a constraint that fails at commit" });
    expect(reply).toMatchObject({ error: { code: "attempts_exhausted", attempt: 1 } });
  });

  test("before its transaction began leaves the connection to the next", async () => {
    for (let i = 0; i < 3; i++)
      expect(await endOf("returns", { what: "a transaction that nobody awaits" })).toMatchObject({
        status: "succeeded",
      });
    expect(await endOf("returns", { what: "a failed transaction" })).toMatchObject({
      status: "failed",
    });
  });
});

describe("a handler that ends its own session", () => {
  test("each time is run again only so often, and then it is an attempt", async () => {
    const id = await fleet.publish("odd", "ends", { goesOn: false });
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({ error: { code: "attempts_exhausted", attempt: 1 } });
    expect(endings.get(id)).toBe(9);
  });

  test("and goes on with another has its own error counted", async () => {
    const id = await fleet.publish("odd", "ends", { goesOn: true });
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({
      error: { code: "attempts_exhausted", message: "the handler's own" },
    });
    expect(endings.get(id)).toBe(1);
  });
});

test("a Reject whose details are not what they should be keeps those that are", async () => {
  expect(await endOf("rejects", {})).toMatchObject({
    error: { code: "rejected", message: "no", details: [{ path: "a", message: "b" }] },
  });
});
