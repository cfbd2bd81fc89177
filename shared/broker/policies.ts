/** Looks for broker policies that override the arguments of our queues, and for full graves; no AMQP answer shows either. */
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { type BrokerNames, brokerNames } from "../wire/names.ts";
import { vhostOf } from "./address.ts";
import { BrokerFailure } from "./explain.ts";
import { lanesOf } from "./lanes.ts";
import { ask } from "./management.ts";
import { fillingQueues } from "./queue-states.ts";

/** A policy on the broker changes what our queues promise. */
export class PolicyOverride extends BrokerFailure {
  override readonly name = "PolicyOverride";
}

/** What a policy must not set on an engine's queue: each loses, redirects or limits jobs behind our back. */
const FORBIDDEN = [
  "message-ttl",
  "expires",
  "max-length",
  "max-length-bytes",
  "overflow",
  "dead-letter-exchange",
  "dead-letter-routing-key",
  "delivery-limit",
];
const TIMEOUT_MS = 5_000;

/**
 * @throws {PolicyOverride}; whatever else goes wrong is thrown as it is.
 * @param vhost decoded, such as `/engine`.
 */
async function refusePolicies(
  managementUrl: string,
  vhost: string,
  engine: string,
  names: BrokerNames,
) {
  const refuse = async (queue: string) => {
    const info = await ask(managementUrl, "GET", ["queues", vhost, queue], undefined, {
      timeoutMs: TIMEOUT_MS,
    });
    const { policy } = info as QueueInfo;
    const bad = overridesIn(info as QueueInfo);
    if (bad.length > 0)
      throw new PolicyOverride(
        `the policy ${JSON.stringify(policy)} sets ${bad.join(", ")} on ${queue}; exclude ${names.prefix}.* from its pattern`,
      );
  };
  const queues = [...lanesOf(engine).map((lane) => names.queue(engine, lane)), names.dead(engine)];
  await Promise.all(queues.map(refuse));
}

/** A queue, as the management API shows it. */
interface QueueInfo {
  policy?: string | null;
  effective_policy_definition?: Record<string, unknown> | null;
}

/** What its policy sets on a queue and must not. */
export const overridesIn = ({ effective_policy_definition: effective }: QueueInfo): string[] =>
  Object.keys(effective ?? {}).filter((key) => FORBIDDEN.includes(key));

/**
 * Only warns where the management API does not say.
 * @throws {PolicyOverride}
 */
export async function checkPolicies(config: Config, engine: string, log: Logger): Promise<void> {
  if (config.RABBITMQ_MANAGEMENT_URL === undefined) return;
  const names = brokerNames(config.ENGINE_PREFIX);
  const vhost = vhostOf(config.AMQP_URL);
  try {
    await refusePolicies(config.RABBITMQ_MANAGEMENT_URL, vhost, engine, names);
    const kept = [names.dead(engine), names.unrouted];
    for (const queue of await fillingQueues(config.RABBITMQ_MANAGEMENT_URL, config.AMQP_URL, kept))
      log.error(
        { ...queue, alert: "queue_filling" },
        "a queue that a person has to empty is half full; past its bound its oldest messages are dropped",
      );
  } catch (error) {
    if (error instanceof PolicyOverride) throw error;
    log.warn(
      { err: error },
      "the management API does not say whether policies override our queues",
    );
  }
}
