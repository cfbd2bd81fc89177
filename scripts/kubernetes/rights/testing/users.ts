/** Users of real services with the rights that are printed, for tests. */
import { vhostOf } from "@tl-engine/shared/broker/address";
import { ask } from "@tl-engine/shared/broker/management";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis } from "@tl-engine/shared/stores/redis";
import type { BrokerRights } from "../statements.ts";

/** Runs `ACL …` as the user of the URL. */
export async function redisAcl(redisUrl: string, ...words: string[]): Promise<void> {
  const redis = openRedis(redisUrl, createLog({}, "silent"), { enableOfflineQueue: true });
  try {
    await redis.call("ACL", ...words);
  } finally {
    redis.disconnect();
  }
}

/** Makes a user of the broker in the vhost of `amqpUrl`. */
export async function makeBrokerUser(
  managementUrl: string,
  amqpUrl: string,
  { user, configure, write, read, topics }: BrokerRights,
  password: string,
): Promise<void> {
  const vhost = vhostOf(amqpUrl);
  await ask(managementUrl, "PUT", ["users", user], { password, tags: "" });
  await ask(managementUrl, "PUT", ["permissions", vhost, user], { configure, write, read });
  for (const topic of topics)
    await ask(managementUrl, "PUT", ["topic-permissions", vhost, user], topic);
}
