/** Faults of those around the fleet: callers whose queue is full or gone, subscribers that don't keep up, and odd handlers. */
import { ODDITIES } from "../engine/odd.ts";
import type { Context, Fault } from "./fault.ts";

const FULL = { durable: true, arguments: { "x-max-length": 1, "x-overflow": "reject-publish" } };

/** A queue that takes one message and refuses all others. */
async function declareFull({ reach }: Context, queue: string, binding?: string): Promise<void> {
  await reach.withChannel(async (channel) => {
    await channel.assertQueue(queue, FULL);
    channel.sendToQueue(queue, Buffer.from("full"));
    if (binding) await channel.bindQueue(queue, binding, "#");
  });
}

const remove =
  ({ reach }: Context, queue: string) =>
  () =>
    reach.withChannel(async (channel) => void (await channel.deleteQueue(queue)));

const actions = ["plain", "ledger", "batch", "rejects"] as const;

/** Jobs whose reply nobody can take, among others whose reply must come all the same. */
async function deafJobs({ load, random }: Context, replyTo: string): Promise<void> {
  const deaf = Array.from({ length: 12 }, () =>
    load.one(random.oneOf(actions), {}, 1, { replyTo, isDeaf: true }),
  );
  await Promise.all([...deaf, load.burst(20)]);
}

export function callerFaults(): Fault[] {
  return [
    {
      kind: "reply-queue-gone",
      touches: [],
      weight: 1,
      holdMs: 300,
      async inject(context) {
        await deafJobs(context, `${context.callersPrefix}.gone.replies`);
        return undefined;
      },
    },
    {
      kind: "reply-queue-full",
      touches: [],
      weight: 1,
      holdMs: 1_000,
      async inject(context) {
        const queue = `${context.callersPrefix}.full.replies`;
        await declareFull(context, queue);
        await deafJobs(context, queue);
        return undefined;
      },
    },
    {
      kind: "event-queue-full",
      touches: [],
      weight: 1,
      holdMs: 1_500,
      async inject(context) {
        const queue = `${context.callersPrefix}.full.events`;
        await declareFull(context, queue, context.eventsExchange);
        await context.load.burst(30);
        return remove(context, queue);
      },
    },
    {
      kind: "odd-handlers",
      touches: [],
      weight: 1,
      holdMs: 300,
      async inject({ load }) {
        await Promise.all([
          ...ODDITIES.map((oddity) => load.one("odd", { oddity })),
          load.burst(20),
        ]);
        return undefined;
      },
    },
  ];
}
