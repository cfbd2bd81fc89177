/** Jobs for an engine that was not there when they came: looked at, and published again once it is. */
import { randomUUID } from "node:crypto";
import type { Connection } from "@tl-engine/shared/broker/connection";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import type { Outgoing } from "@tl-engine/shared/broker/publish-frames";
import { publisherHeader, RUNTIME_HEADERS } from "@tl-engine/shared/job/publisher";
import { HEADERS, MAX_COUNT } from "@tl-engine/shared/wire/headers";
import {
  type BrokerNames,
  engineUser,
  jobKey,
  type Lane,
  NAME,
} from "@tl-engine/shared/wire/names";
import { readLetter, sameJob, text, traceOf } from "./letter.ts";
import { type Listed, Listing } from "./list.ts";
import { count, type Replayed } from "./replay.ts";
import { BadSelection, isChosen, type Selection } from "./selection.ts";
import { delivered, type Message, walkQueue } from "./walk-queue.ts";

/** What these jobs are called on the command line, in an engine's place. */
export const UNROUTED = "unrouted";

/** Each is a round trip: with more than this in the queue the groups are those of the oldest. */
const SEEN_AT_MOST = 5_000;

export interface UnroutedListed extends Listed {
  /** Of those that were seen: the routing keys that lead to a queue by now. */
  routed: string[];
}

export async function listUnrouted(
  connection: Pick<Connection, "model">,
  { names, limit }: { names: BrokerNames; limit: number },
): Promise<UnroutedListed> {
  const listing = new Listing(limit);
  const counted = await walkQueue(connection, names.unrouted, {
    atMost: Math.max(limit, SEEN_AT_MOST),
    visit(message) {
      listing.add(readLetter(message), keyOf(message));
      return "stay";
    },
  });
  const result = listing.result(counted);
  const routes = new Routes(connection, names);
  const routed: string[] = [];
  for (const { of } of result.groups) if (await routes.has(of)) routed.push(of);
  return { ...result, routed };
}

export interface RerouteOptions {
  names: BrokerNames;
  selection?: Selection;
  /** Publishes nothing and takes nothing off. */
  dryRun?: boolean;
  /** Broker users whose word on runs and publishers is the runtime's own. */
  runtimeUsers: ReadonlySet<string>;
}

/**
 * Publishes each job as it came, confirmed, and only then takes it off. A crash in between leaves it here as well:
 * its second message is the same job under the same id, which has one effect.
 */
export async function replayUnrouted(
  connection: Pick<Connection, "model">,
  publisher: Publisher,
  { names, selection = {}, dryRun = false, runtimeUsers }: RerouteOptions,
): Promise<Replayed> {
  if (selection.codes !== undefined)
    throw new BadSelection("CODE means nothing here: what reached no engine has no error yet.");
  const result: Replayed = { replayed: [], codes: {}, left: [], unnamed: {} };
  const routes = new Routes(connection, names);
  // The alternate exchange takes back what no binding leads on.
  const run = randomUUID();

  const reroute = async (message: Message): Promise<boolean> => {
    const { id } = readLetter(message);
    const key = keyOf(message);
    if (!(await routes.has(key))) {
      result.left.push({ id, why: `there is no engine behind ${JSON.stringify(key)} yet` });
      return false;
    }
    const job = jobOf(message, { names, run, runtimeUsers });
    if (!dryRun && !(await delivered(publisher, job))) {
      result.left.push({ id, why: "the broker takes no message of its size any more" });
      return false;
    }
    result.replayed.push(id);
    count(result.codes, key);
    return !dryRun;
  };

  await walkQueue(connection, names.unrouted, {
    visit(message) {
      const letter = readLetter(message);
      if (message.properties.headers?.[HEADERS.rerouted] === run) {
        const why = `no binding leads to the queue of ${JSON.stringify(keyOf(message))}`;
        result.left.push({ id: letter.id, why });
        return "stay";
      }
      if (!isChosen(letter, selection)) return "stay";
      return { send: () => reroute(message), when: "now" };
    },
  });
  return result;
}

const keyOf = ({ fields }: Message) => fields.routingKey;

interface Rerouting {
  names: BrokerNames;
  run: string;
  runtimeUsers: ReadonlySet<string>;
}

/** As it came, except for whose word it is: this program's user is believed, so it may say only what is true. */
function jobOf(message: Message, { names, run, runtimeUsers }: Rerouting): Outgoing {
  const { headers = {}, userId } = message.properties;
  const user = text(userId);
  const [engine = ""] = keyOf(message).split(".");
  const isOurs =
    user !== undefined && (runtimeUsers.has(user) || user === engineUser(names.prefix, engine));
  const publisher = isOurs ? (text(headers[HEADERS.publisher]) ?? user) : user;
  const deadline: unknown = headers[HEADERS.deadline];
  return {
    ...sameJob(message),
    exchange: names.jobs,
    routingKey: keyOf(message),
    headers: {
      ...traceOf(message),
      ...(isOurs && countsOf(headers)),
      ...(typeof deadline === "number" && { [HEADERS.deadline]: deadline }),
      [HEADERS.publisher]: publisherHeader(publisher),
      [HEADERS.rerouted]: run,
    },
  };
}

/** Of a job that was on its way back when its engine was taken away. */
function countsOf(headers: Record<string, unknown>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of RUNTIME_HEADERS) {
    const value = headers[name];
    if (Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_COUNT)
      counts[name] = Number(value);
  }
  return counts;
}

/** Whether a routing key is an engine's whose queue is there. Each is asked once. */
class Routes {
  readonly #connection: Pick<Connection, "model">;
  readonly #names: BrokerNames;
  readonly #known = new Map<string, Promise<boolean>>();

  constructor(connection: Pick<Connection, "model">, names: BrokerNames) {
    this.#connection = connection;
    this.#names = names;
  }

  has(key: string): Promise<boolean> {
    const known = this.#known.get(key) ?? this.#ask(key);
    this.#known.set(key, known);
    return known;
  }

  async #ask(key: string): Promise<boolean> {
    const [engine = ""] = key.split(".");
    const lane: Lane = key === jobKey(engine, "bulk") ? "bulk" : "interactive";
    if (!NAME.test(engine) || key !== jobKey(engine, lane)) return false;
    const channel = await this.#connection.model.createChannel();
    // A missing queue closes the channel.
    channel.on("error", () => {});
    try {
      await channel.checkQueue(this.#names.queue(engine, lane));
      await channel.close();
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code === 404) return false;
      throw error;
    }
  }
}
