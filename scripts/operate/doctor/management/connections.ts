/** Whether vhost and user let in as many connections as the workers open at most. */
import { brokerUserOf } from "@tl-engine/shared/broker/address";
import { ManagementError } from "@tl-engine/shared/broker/management";
import { type Check, failure, ok, skipped } from "../check.ts";
import type { Management } from "./source.ts";

type Limits = { value?: Record<string, number> }[];
const KEY = "max-connections";

/** Of one vhost or one user; undefined where there is none, or it may not be seen. */
async function limitOf(get: Management["get"], what: string, name: string) {
  try {
    const [limits] = (await get(what, name)) as Limits;
    const limit = limits?.value?.[KEY];
    return limit === undefined || limit < 0 ? undefined : limit;
  } catch (error) {
    if (error instanceof ManagementError && [401, 403, 404, 405].includes(error.status ?? 0))
      return undefined;
    throw error;
  }
}

export const connections: Check<Management> = {
  name: "connections",
  looksAt: "connection limits of vhost and user against the most workers that there may be",
  async run({ get, vhost, amqpUrl }, { atMost }) {
    if (typeof atMost === "string") return skipped(atMost);
    const user = brokerUserOf(amqpUrl);
    const need = atMost.amqpConnections;
    const [ofVhost, ofUser] = await Promise.all([
      limitOf(get, "vhost-limits", vhost),
      limitOf(get, "user-limits", user),
    ]);
    const limit = Math.min(ofVhost ?? Number.POSITIVE_INFINITY, ofUser ?? Number.POSITIVE_INFINITY);
    if (limit === Number.POSITIVE_INFINITY)
      return ok(`no limit seen, ${need} at most; the plan may have one`);
    const found = `${limit} allowed, ${need} at most`;
    if (limit >= need) return ok(found);
    const [what, command] =
      limit === ofVhost
        ? [`the vhost ${vhost}`, `rabbitmqctl set_vhost_limits -p '${vhost}'`]
        : [`the user ${user}`, `rabbitmqctl set_user_limits '${user}'`];
    return failure(
      found,
      `${what} lets ${limit} connections in, and ${atMost.workers} workers (${atMost.environment}) open two each: the rest restarts in a loop`,
      `${command} '{"max-connections": ${need}}', or lower maxReplicaCount`,
    );
  },
};
