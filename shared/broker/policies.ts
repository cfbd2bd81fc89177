/** Looks for broker policies that override the arguments of our queues; no AMQP answer shows them. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { http } from "../process/http.ts";
import { type BrokerNames, brokerNames } from "../wire/names.ts";
import { BrokerFailure } from "./explain.ts";

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
export async function refusePolicies(
  managementUrl: string,
  vhost: string,
  engine: string,
  names: BrokerNames,
) {
  const url = new URL(managementUrl);
  const base = `${url.origin}${url.pathname.replace(/\/(?:api\/?)?$/, "")}`;
  const auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const refuse = async (queue: string) => {
    const path = `/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
    const { policy, effective_policy_definition: effective } = await getQueue(base + path, auth);
    const bad = Object.keys(effective ?? {}).filter((key) => FORBIDDEN.includes(key));
    if (bad.length > 0)
      throw new PolicyOverride(
        `the policy ${JSON.stringify(policy)} sets ${bad.join(", ")} on ${queue}; exclude ${names.prefix}.* from its pattern`,
      );
  };
  await Promise.all([refuse(names.queue(engine)), refuse(names.dead(engine))]);
}

interface QueueInfo {
  policy?: string;
  effective_policy_definition?: Record<string, unknown>;
}

/** Not fetch, which alone takes 12 MB of an idle worker's memory. */
async function getQueue(url: string, auth: string): Promise<QueueInfo> {
  const { request } = url.startsWith("https:") ? process.getBuiltinModule("node:https") : http;
  const asked = request(url, {
    auth,
    timeout: TIMEOUT_MS,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) {
    response.resume();
    throw new Error(`the management API answered ${response.statusCode} to ${url}`);
  }
  return (await json(response)) as QueueInfo;
}

/**
 * Only warns where the management API does not say.
 * @throws {PolicyOverride}
 */
export async function checkPolicies(config: Config, engine: string, log: Logger): Promise<void> {
  if (config.RABBITMQ_MANAGEMENT_URL === undefined) return;
  const names = brokerNames(config.ENGINE_PREFIX);
  const vhost = decodeURIComponent(new URL(config.AMQP_URL).pathname.slice(1)) || "/";
  try {
    await refusePolicies(config.RABBITMQ_MANAGEMENT_URL, vhost, engine, names);
  } catch (error) {
    if (error instanceof PolicyOverride) throw error;
    log.warn(
      { err: error },
      "the management API does not say whether policies override our queues",
    );
  }
}
