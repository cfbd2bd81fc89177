/** Looks for broker policies that override the arguments of our queues; no AMQP answer shows them. */
import type { BrokerNames } from "./client/wire.ts";

/** A policy on the broker changes what our queues promise. */
export class PolicyOverride extends Error {
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
  const headers = new Headers();
  if (url.username !== "") {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(user).toString("base64")}`);
  }
  const base = `${url.origin}${url.pathname.replace(/\/(?:api\/?)?$/, "")}`;
  for (const queue of [names.queue(engine), names.dead(engine)]) {
    const path = `/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
    const response = await fetch(base + path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok)
      throw new Error(`the management API answered ${response.status} for ${queue}`);
    const { policy, effective_policy_definition: effective } = (await response.json()) as {
      policy?: string;
      effective_policy_definition?: Record<string, unknown>;
    };
    const bad = Object.keys(effective ?? {}).filter((key) => FORBIDDEN.includes(key));
    if (bad.length > 0)
      throw new PolicyOverride(
        `the policy ${JSON.stringify(policy)} sets ${bad.join(", ")} on ${queue}; exclude ${names.prefix}.* from its pattern`,
      );
  }
}
