/** Whether the user of AMQP_URL may in the vhost what `make rights` prints for it, and no more. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { brokerUserOf } from "@tl-engine/shared/broker/address";
import { ManagementError } from "@tl-engine/shared/broker/management";
import { engineUser } from "@tl-engine/shared/wire/names";
import {
  type BrokerRights,
  eventTypesOf,
  rightsOf,
  toolsRights,
} from "../../../kubernetes/rights/statements.ts";
import { type Check, type Finding, type Fleet, failure, ok, skipped, warning } from "../check.ts";
import type { Management } from "./source.ts";

type Patterns = Pick<BrokerRights, "configure" | "write" | "read">;
const KINDS = ["configure", "write", "read"] as const;
/** Somebody else's, and the exchange by which every queue is reached. */
const NOT_OURS = ["celery", "amq.default", ""];

/** What `make rights` prints for this user; undefined for one that it makes none for. */
function wantedOf(user: string, { config, workers }: Fleet) {
  const { ENGINE_PREFIX: prefix, REPLY_EXCHANGE: replyExchange, TOOLS_USER } = config;
  if (user === TOOLS_USER) return { name: "tools", rights: toolsRights(prefix, TOOLS_USER) };
  const worker = workers.find(({ definition }) => engineUser(prefix, definition.name) === user);
  if (worker === undefined) return undefined;
  const { name: engine, actions, redis = false } = worker.definition;
  const schema = existsSync(join(worker.folder, "migrations")) ? "own" : undefined;
  const { broker } = rightsOf({
    ...{ engine, prefix, replyExchange, schema },
    emits: eventTypesOf(actions),
    handlersUseRedis: redis,
  });
  return { name: engine, rights: broker };
}

/** The broker's expressions are Erlang's, or Crystal's, and those that are printed mean the same in all. */
function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

/** Names by which the two differ: `write engine.events`. */
function differences(has: Patterns, wanted: Patterns, names: string[]) {
  const [missing, extra]: [string[], string[]] = [[], []];
  for (const kind of KINDS)
    for (const name of names) {
      const [may, should] = [matches(has[kind], name), matches(wanted[kind], name)];
      if (should && !may) missing.push(`${kind} ${name || "''"}`);
      // amq.default is RabbitMQ's word for the exchange that LavinMQ calls by no name.
      if (may && !should) extra.push(`${kind} ${name || "''"}`);
    }
  return { missing, extra };
}

async function seenOf(get: Management["get"], vhost: string, user: string) {
  try {
    return (await get("permissions", vhost, user)) as Patterns;
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    if (error.status === 401 || error.status === 403) return undefined;
    if (error.status === 404) return { configure: "^$", write: "^$", read: "^$" };
    throw error;
  }
}

const few = (list: string[]) => `${list.slice(0, 4).join(", ")}${list.length > 4 ? ", …" : ""}`;

export const rights: Check<Management> = {
  name: "rights",
  looksAt: "the user of AMQP_URL may enough, and not too much",
  async run({ get, vhost, amqpUrl, topology, profile }, fleet): Promise<Finding> {
    const user = brokerUserOf(amqpUrl);
    const has = await seenOf(get, vhost, user);
    if (has === undefined)
      return skipped("the user of RABBITMQ_MANAGEMENT_URL may not see rights (tag administrator)");
    const wanted = wantedOf(user, fleet);
    if (wanted === undefined)
      return warning(
        `${user} is no user that make rights makes`,
        `${user} may write to '${has.write}' and read '${has.read}' in ${vhost}: its URL in one worker is the URL of all of them`,
        `make rights NAME=${fleet.workers[0]?.definition.name}`,
      );
    const next = `make rights NAME=${wanted.name}`;
    const names = [...topology.exchanges, ...topology.queues].map(({ name }) => name);
    const { missing, extra } = differences(has, wanted.rights, [...names, ...NOT_OURS]);
    if (missing.length > 0)
      return failure(`${user} may too little`, `it may not ${few(missing)}`, next);
    if (extra.length > 0)
      return warning(`${user} may too much`, `it may ${few(extra)}, which it does not need`, next);
    // LavinMQ knows no rights on topics.
    const topics = profile.product === "RabbitMQ" ? wanted.rights.topics : [];
    const given = topics.length === 0 ? [] : await topicsOf(get, vhost, user);
    const open = topics.filter(({ exchange }) => !given.some((it) => it.exchange === exchange));
    if (open.length === 0) return ok(`${user} may what it needs`);
    return warning(
      `${user} may too much`,
      `it may announce events of every type on ${open.map(({ exchange }) => exchange).join(", ")}: its rights on topics were not set`,
      next,
    );
  },
};

async function topicsOf(get: Management["get"], vhost: string, user: string) {
  try {
    const given = await get("topic-permissions", vhost, user);
    return [given].flat() as { exchange: string }[];
  } catch (error) {
    if (error instanceof ManagementError && error.status === 404) return [];
    throw error;
  }
}
