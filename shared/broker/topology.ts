/** Every exchange, queue and binding of the fleet, derived from the worker definitions. */
import type { Channel, ChannelModel } from "amqplib";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { type BrokerNames, BURIALS, DELAY_TIERS, jobKey, type Lane } from "../wire/names.ts";
import { type BrokerProfile, closeChannel } from "./connection.ts";
import { BrokerFailure } from "./explain.ts";
import { lanesOf } from "./lanes.ts";

/**
 * Hand-backs of rolling deploys and crashes of a neighbour count on the broker's limit too, so it is
 * only a last resort: the worker's own count of crashes decides much earlier.
 */
const DELIVERY_LIMIT = 2_000;

/**
 * What a person has to look at is kept up to this many bytes in each queue: some 100,000 letters of a usual size,
 * and twenty such queues still fit a small broker's disk, whose alarm would stop every publisher. Past it the
 * oldest goes to the burials, which tell it.
 */
export const KEPT_BYTES = 256 * 1024 * 1024;

interface Exchange {
  name: string;
  type: "direct" | "topic" | "fanout";
  arguments?: Record<string, unknown>;
}
interface Queue {
  name: string;
  arguments: Record<string, unknown>;
}
interface Binding {
  queue: string;
  exchange: string;
  routingKey: string;
}
export interface Topology {
  exchanges: Exchange[];
  queues: Queue[];
  bindings: Binding[];
}

type Engine = Pick<WorkerDefinition, "name" | "on" | "later">;

export interface TopologyOptions {
  /** `REPLY_EXCHANGE`. Default: none, replies go through the default exchange. */
  replyExchange?: string;
  /** Default: {@link KEPT_BYTES}. */
  keptBytes?: number;
}

/** @param engines all engines of the fleet. */
export function topologyOf(
  engines: Engine[],
  names: BrokerNames,
  profile: BrokerProfile,
  { replyExchange = "", keptBytes = KEPT_BYTES }: TopologyOptions = {},
): Topology {
  const kind = profile.quorum ? { "x-queue-type": "quorum" } : {};
  const durable = (name: string, args: Record<string, unknown> = {}): Queue => ({
    name,
    arguments: { ...kind, "x-delivery-limit": DELIVERY_LIMIT, ...args },
  });
  // At-least-once dead-lettering holds a message until its target confirmed it; it needs reject-publish.
  const safely = profile.quorum
    ? { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" }
    : {};
  // Drop-head dead-letters at most once on RabbitMQ; reject-publish would hold up whoever has a letter to bury.
  const bounded = {
    "x-max-length-bytes": keptBytes,
    "x-overflow": "drop-head",
    "x-dead-letter-exchange": names.burials,
  };
  const served = engines.filter((engine) => engine.name !== BURIALS);
  const graves = [BURIALS, ...served.map(({ name }) => name)].map(names.dead);

  const exchanges: Exchange[] = [
    { name: names.unrouted, type: "fanout" },
    { name: names.jobs, type: "direct", arguments: { "alternate-exchange": names.unrouted } },
    // Without a scheduler in the fleet what is to wait is kept, and told, as a job for no engine is.
    { name: names.later, type: "topic", arguments: { "alternate-exchange": names.unrouted } },
    { name: names.events, type: "topic" },
    { name: names.burials, type: "fanout" },
    ...DELAY_TIERS.map(({ name }): Exchange => ({ name: names.delay(name), type: "fanout" })),
    ...graves.map((name): Exchange => ({ name, type: "fanout" })),
    // A topic, since only of topics RabbitMQ checks the key too: whoever binds a queue hears its own replies alone.
    ...(replyExchange === "" ? [] : [{ name: replyExchange, type: "topic" } as const]),
  ];
  const queues: Queue[] = [
    durable(names.unrouted, bounded),
    durable(names.queue(BURIALS), { ...safely, "x-dead-letter-exchange": names.dead(BURIALS) }),
    ...graves.map((name) => durable(name, bounded)),
    ...DELAY_TIERS.map(({ name, delayMs }) =>
      // No dead-letter routing key: the engine's name, given at publish, survives the round trip.
      durable(names.delay(name), {
        ...safely,
        "x-overflow": "reject-publish",
        "x-message-ttl": delayMs,
        "x-dead-letter-exchange": names.jobs,
      }),
    ),
    ...served.flatMap((engine) =>
      lanesOf(engine.name).map((lane) =>
        durable(names.queue(engine.name, lane), {
          ...safely,
          "x-dead-letter-exchange": names.burials,
        }),
      ),
    ),
  ];
  const bindings: Binding[] = [
    { queue: names.unrouted, exchange: names.unrouted, routingKey: "" },
    { queue: names.queue(BURIALS), exchange: names.burials, routingKey: "" },
    ...graves.map((name) => ({ queue: name, exchange: name, routingKey: "" })),
    ...DELAY_TIERS.map(({ name }) => ({
      queue: names.delay(name),
      exchange: names.delay(name),
      routingKey: "",
    })),
    ...served.flatMap((engine) => [
      ...lanesOf(engine.name).map((lane) => ({
        queue: names.queue(engine.name, lane),
        exchange: names.jobs,
        routingKey: jobKey(engine.name, lane),
      })),
      ...(engine.later === undefined
        ? []
        : [{ queue: names.queue(engine.name), exchange: names.later, routingKey: "#" }]),
      // Events are interactive: who publishes them knows no engine, so it can choose no lane.
      ...Object.keys(engine.on ?? {}).map((routingKey) => ({
        queue: names.queue(engine.name),
        exchange: names.events,
        routingKey,
      })),
    ]),
  ];
  return { exchanges, queues, bindings };
}

/**
 * Declares everything; safe to repeat.
 * @throws {TopologyRefused} where a queue exists with other arguments, or the user may not.
 */
export async function declareTopology(model: ChannelModel, topology: Topology): Promise<void> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  let declaring = "";
  try {
    for (const { name, type, arguments: args } of topology.exchanges) {
      declaring = `exchange ${name}`;
      await channel.assertExchange(name, type, { durable: true, arguments: args });
    }
    for (const { name, arguments: args } of topology.queues) {
      declaring = `queue ${name}`;
      await channel.assertQueue(name, { durable: true, arguments: args });
    }
    for (const { queue, exchange, routingKey } of topology.bindings) {
      declaring = `binding of ${queue} to ${exchange}`;
      await channel.bindQueue(queue, exchange, routingKey);
    }
    await closeChannel(channel);
  } catch (error) {
    throw refused(`declare the ${declaring}`, error, CONFLICT);
  }
}

/** AMQP 0-9-1 reply codes that the broker closes a channel with. */
const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

const CONFLICT =
  "it exists with other arguments: drain and delete it first, then run make topology again (CHANGELOG.md says which release changed what)";

/** The broker does not let the topology be declared or looked at. */
export class TopologyRefused extends BrokerFailure {
  override readonly name = "TopologyRefused";
}

/** Something that the workers need is not there. */
export class MissingTopology extends BrokerFailure {
  override readonly name = "MissingTopology";
}

/** Says why the broker would not, and what to do; `what` as in "declare the queue x". */
export function refused(
  what: string,
  error: unknown,
  onPrecondition = "look into the broker's log",
): BrokerFailure {
  const { code, message } = error as Error & { code?: unknown };
  if (typeof code !== "number")
    return new BrokerFailure(`the connection was lost on the way to ${what}: ${message}`, {
      cause: error,
      temporary: true,
    });
  const why =
    code === ACCESS_REFUSED
      ? "the user of AMQP_URL has no right to it: make rights NAME=tools prints who may declare, NAME=<engine> what its worker may"
      : code === PRECONDITION_FAILED
        ? onPrecondition
        : "look into the broker's log";
  return new TopologyRefused(`the broker refuses to ${what} (${message}); ${why}`, {
    cause: error,
  });
}

/** What a worker needs beside its dead letters, the events and the tiers. */
interface Needed {
  /** Default: all that the engine has. */
  lanes?: readonly Lane[];
  /** REPLY_EXCHANGE; "" is the default exchange, which is always there. */
  replyExchange?: string;
}

/**
 * Passively looks for what one worker needs. A missing name closes the channel, so it is given one of
 * its own.
 * @param replyExchange "" for the default one, which every broker has.
 * @throws {MissingTopology} or {@link TopologyRefused}, or what broke the connection.
 */
export async function verifyTopology(
  model: ChannelModel,
  engine: string,
  names: BrokerNames,
  { lanes = lanesOf(engine), replyExchange = "" }: Needed = {},
) {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  const tiers = DELAY_TIERS.map(({ name }) => names.delay(name));
  const exchanges = [names.events, names.later, ...tiers, names.dead(engine)];
  if (replyExchange !== "") exchanges.push(replyExchange);
  let looking = "";
  try {
    for (const queue of [...lanes.map((lane) => names.queue(engine, lane)), names.dead(engine)]) {
      looking = `queue ${queue}`;
      await channel.checkQueue(queue);
    }
    for (const exchange of exchanges) {
      looking = `exchange ${exchange}`;
      await channel.checkExchange(exchange);
    }
    await closeChannel(channel);
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    if (code === NOT_FOUND)
      throw new MissingTopology(
        `the ${looking} is missing (${message}); run "make topology" against this broker first`,
        { cause: error },
      );
    throw refused(`show the ${looking}`, error);
  }
}

/** How many consumers the broker sees on a queue, on a channel that stays usable. */
export async function consumerCount(channel: Channel, queue: string): Promise<number> {
  return (await channel.checkQueue(queue)).consumerCount;
}
