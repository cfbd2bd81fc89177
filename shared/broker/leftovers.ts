/**
 * What the broker still has of engines and subscriptions that no definition knows any more: declaring never
 * removes anything, so a removed subscription would go on delivering, and a removed engine's queue filling.
 */
import type { ChannelModel } from "amqplib";
import { vhostOf } from "./address.ts";
import { closeChannel } from "./connection.ts";
import { ask } from "./management.ts";
import { refused, type Topology } from "./topology.ts";

export interface LeftBinding {
  exchange: string;
  queue: string;
  routingKey: string;
}
export interface Leftovers {
  /** From an exchange of the fleet to a queue of the fleet. */
  bindings: LeftBinding[];
  queues: string[];
  exchanges: string[];
}

interface SeenBinding {
  source: string;
  destination: string;
  destination_type: string;
  routing_key: string;
}

/**
 * Names that begin with the prefix belong to the fleet: no caller's queue may. Bindings to callers' queues, and from
 * exchanges of others, are theirs.
 * @throws {ManagementError}
 */
export async function findLeftovers(
  managementUrl: string,
  amqpUrl: string,
  prefix: string,
  topology: Topology,
): Promise<Leftovers> {
  const vhost = vhostOf(amqpUrl);
  const list = async <Seen>(what: string) =>
    (await ask(managementUrl, "GET", [what, vhost])) as Seen[];
  const [bindings, queues, exchanges] = await Promise.all([
    list<SeenBinding>("bindings"),
    list<{ name: string }>("queues"),
    list<{ name: string }>("exchanges"),
  ]);
  const isOurs = (name: string) => name.startsWith(`${prefix}.`);
  const unknown = (seen: { name: string }[], declared: { name: string }[]) => {
    const known = new Set(declared.map(({ name }) => name));
    return seen.map(({ name }) => name).filter((name) => isOurs(name) && !known.has(name));
  };
  const keyOf = ({ exchange, queue, routingKey }: LeftBinding) =>
    JSON.stringify([exchange, queue, routingKey]);
  const wanted = new Set(topology.bindings.map(keyOf));
  // Callers' queues may still be bound to it, as to an exchange of replies after a change of mode.
  const inUse = new Set(
    bindings.filter(({ destination }) => !isOurs(destination)).map(({ source }) => source),
  );
  return {
    bindings: bindings
      .filter(({ destination_type: type }) => type === "queue")
      .map(({ source, destination, routing_key }) => ({
        exchange: source,
        queue: destination,
        routingKey: routing_key,
      }))
      .filter(({ exchange, queue }) => isOurs(exchange) && isOurs(queue))
      .filter((binding) => !wanted.has(keyOf(binding))),
    queues: unknown(queues, topology.queues),
    exchanges: unknown(exchanges, topology.exchanges).filter((name) => !inUse.has(name)),
  };
}

/**
 * Ends deliveries that nobody reads: jobs for such an engine are unrouted from now on, and seen. Safe to repeat.
 * @throws {TopologyRefused}
 */
export async function unbind(model: ChannelModel, bindings: readonly LeftBinding[]): Promise<void> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  for (const { queue, exchange, routingKey } of bindings)
    await channel.unbindQueue(queue, exchange, routingKey).catch((error) => {
      throw refused(`unbind ${queue} from ${exchange}`, error);
    });
  await closeChannel(channel);
}

export interface KeptQueue {
  name: string;
  /** Messages that are ready. */
  messages: number;
  consumers: number;
}

/**
 * Deletes the queues that nothing is in and nobody reads, and the exchanges; unbind them first, or one more message
 * may come in between.
 * @returns what was not deleted.
 * @throws {TopologyRefused}
 */
export async function prune(
  model: ChannelModel,
  { queues, exchanges }: Pick<Leftovers, "queues" | "exchanges">,
): Promise<KeptQueue[]> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  const kept: KeptQueue[] = [];
  const refuse = (name: string) => (error: unknown) => {
    throw refused(`delete ${name}`, error);
  };
  for (const name of queues) {
    // Quorum queues know no if-empty.
    const { messageCount: messages, consumerCount: consumers } = await channel
      .checkQueue(name)
      .catch(refuse(name));
    if (messages > 0 || consumers > 0) kept.push({ name, messages, consumers });
    else await channel.deleteQueue(name).catch(refuse(name));
  }
  const inUse = new Set(kept.map(({ name }) => name));
  for (const name of exchanges)
    if (!inUse.has(name)) await channel.deleteExchange(name).catch(refuse(name));
  await closeChannel(channel);
  return kept;
}
