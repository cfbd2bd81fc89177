/** The broker by its management API, which says what no answer of AMQP does. */
import { vhostOf } from "@tl-engine/shared/broker/address";
import type { BrokerProfile } from "@tl-engine/shared/broker/connection";
import { ask, ManagementError } from "@tl-engine/shared/broker/management";
import { type Topology, topologyOf } from "@tl-engine/shared/broker/topology";
import {
  type Check,
  type Finding,
  type Fleet,
  failure,
  type Opened,
  type Part,
  skipped,
} from "../check.ts";
import { judgeLatency } from "../latency.ts";
import { queueArguments } from "./arguments.ts";
import { clock } from "./clock.ts";
import { connections } from "./connections.ts";
import { consumerTimeout } from "./consumer-timeout.ts";
import { orphans } from "./orphans.ts";
import { policies } from "./policies.ts";
import { filling, leaders, unread } from "./queues.ts";
import { replies } from "./replies.ts";
import { rights } from "./rights.ts";
import type { Management, SeenQueue } from "./source.ts";

const BY_HAND = 'curl -sS "$RABBITMQ_MANAGEMENT_URL/api/whoami"';

interface Overview {
  product_version?: string;
  rabbitmq_version?: string;
  lavinmq_version?: string;
}

/** LavinMQ alone calls its version so. */
function profileOf(overview: Overview, configured: string): BrokerProfile {
  const isLavinMq =
    configured === "lavinmq" || (configured === "auto" && overview.lavinmq_version !== undefined);
  return isLavinMq ? { product: "LavinMQ", quorum: false } : { product: "RabbitMQ", quorum: true };
}

async function open(fleet: Fleet): Promise<Opened<Management> | Finding> {
  const { config, workers, names } = fleet;
  const { RABBITMQ_MANAGEMENT_URL: url, AMQP_URL: amqpUrl } = config;
  if (url === undefined)
    return skipped(
      "RABBITMQ_MANAGEMENT_URL is not set: arguments, policies and rights can't be seen",
    );
  const get = (...path: string[]) => ask(url, "GET", path);
  const vhost = vhostOf(amqpUrl);
  try {
    const overview = (await get("overview")) as Overview;
    const missing = await missingVhost(vhost, get);
    if (missing !== undefined) return missing;
    const profile = profileOf(overview, config.BROKER_PROFILE);
    const version =
      overview.lavinmq_version ?? overview.product_version ?? overview.rabbitmq_version ?? "";
    const found = await judgeLatency(`${profile.product} ${version}`, () => get("whoami"), BY_HAND);
    const topology = topologyOf(
      workers.map(({ definition }) => definition),
      names,
      profile,
      { replyExchange: config.REPLY_EXCHANGE },
    );
    const source = {
      url,
      amqpUrl,
      vhost,
      profile,
      topology,
      get,
      queues: await ours(topology, vhost, get),
    };
    return { source, found, close: async () => {} };
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    return failure("not reached", explain(error), BY_HAND);
  }
}

/** From the list, which every user of the API may see: of a single one only an administrator may ask. */
async function missingVhost(vhost: string, get: Management["get"]): Promise<Finding | undefined> {
  const vhosts = (await get("vhosts")) as { name: string }[];
  if (vhosts.some(({ name }) => name === vhost)) return undefined;
  return failure(
    `no vhost ${vhost}`,
    `the broker has no vhost ${vhost}, which AMQP_URL names (a vhost /engine is written %2Fengine), or the API's user may not see it`,
    'curl -sS "$RABBITMQ_MANAGEMENT_URL/api/vhosts?columns=name"',
  );
}

async function ours(topology: Topology, vhost: string, get: Management["get"]) {
  const declared = new Set(topology.queues.map(({ name }) => name));
  const seen = (await get("queues", vhost)) as SeenQueue[];
  return seen.filter(({ name }) => declared.has(name));
}

function explain({ status, message }: ManagementError): string {
  if (status === 401 || status === 403)
    return `the management API refuses the user of RABBITMQ_MANAGEMENT_URL, or its password; it needs the tag monitoring, and rights on the vhost (${message})`;
  if (status === 404)
    return `there is no management API at RABBITMQ_MANAGEMENT_URL: it ends before /api, and has no vhost (${message})`;
  return `RABBITMQ_MANAGEMENT_URL gives no answer of a management API: host and port (15672, with TLS 443 or 15671), or the plugin is off (${message})`;
}

/** Before `make topology` nothing would be wrong with any of none. */
const whereThereAreQueues = (check: Check<Management>): Check<Management> => ({
  ...check,
  run: async (source, fleet) =>
    source.queues.length === 0
      ? skipped("the fleet has no queues yet: see management.arguments")
      : check.run(source, fleet),
});

export const management: Part<Management> = {
  name: "management",
  byHand: () => BY_HAND,
  open,
  checks: [
    ...[queueArguments, replies, orphans],
    ...[policies, leaders, unread, filling, consumerTimeout].map(whereThereAreQueues),
    ...[connections, rights, clock],
  ],
};
