/** The exchanges and queues as a Mermaid picture, from what `make topology` declares. */
import { type Topology, topologyOf } from "../../../shared/broker/topology.ts";
import type { WorkerDefinition } from "../../../shared/engine/define-worker.ts";
import { brokerNames } from "../../../shared/wire/names.ts";

const NAMES = brokerNames();
const TIERS = "engine.delay.1s … 1h";

/** The delay tiers are one thing in the picture. */
const shown = (name: string) => (name.startsWith(NAMES.delay("")) ? TIERS : name);
const idOf = (name: string) =>
  shown(name)
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replace(/_$/, "");

export function topologyDiagram(definitions: readonly WorkerDefinition[]): string {
  const topology = topologyOf([...definitions], NAMES, {
    product: "RabbitMQ",
    quorum: true,
  });
  const lines = new Set(["flowchart LR", ...nodes(topology), ...edges(topology)]);
  return ["```mermaid", ...lines, "```"].join("\n");
}

/** A fanout exchange and the queue of the same name are one node: nothing else is bound to it. */
function nodes({ exchanges, queues }: Topology): string[] {
  const queueNames = new Set(queues.map(({ name }) => name));
  return [
    ...exchanges
      .filter(({ name }) => !queueNames.has(name))
      .map(({ name, type }) => `  ${idOf(name)}{{"${name} (${type})"}}`),
    ...queues.map(({ name }) => `  ${idOf(name)}[("${shown(name)}")]`),
  ];
}

function edges({ exchanges, queues, bindings }: Topology): string[] {
  const unrouted = exchanges.flatMap(({ name, arguments: args }) => {
    const alternate = args?.["alternate-exchange"];
    return alternate === undefined
      ? []
      : [`  ${idOf(name)} -.->|sin motor| ${idOf(String(alternate))}`];
  });
  const bound = bindings
    .filter(({ queue, exchange }) => queue !== exchange)
    .map(({ queue, exchange, routingKey }) => {
      const key = routingKey === "" ? "" : `|${routingKey}|`;
      return `  ${idOf(exchange)} -->${key} ${idOf(queue)}`;
    });
  const dropped = queues.flatMap(({ name, arguments: args }) => {
    const target = args["x-dead-letter-exchange"];
    return target === undefined
      ? []
      : [`  ${idOf(name)} -.->|${whyOut(args)}| ${idOf(String(target))}`];
  });
  return [...unrouted, ...bound, ...dropped];
}

/** Why a message leaves a queue by its dead-letter exchange. */
function whyOut(args: Topology["queues"][number]["arguments"]): string {
  if (args["x-message-ttl"] !== undefined) return "al vencer";
  return args["x-max-length-bytes"] === undefined
    ? "caducado o límite"
    : "lo más viejo, si se llena";
}
