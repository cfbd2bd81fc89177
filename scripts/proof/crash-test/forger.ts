/** A broker user with the rights of a publisher and none of the runtime's, whose word on a job's past is worth nothing. */
import { randomUUID } from "node:crypto";
import { vhostOf } from "../../../shared/broker/address.ts";
import { ask } from "../../../shared/broker/management.ts";
import type { Urls } from "./reach.ts";

export const FORGER = "mallory";

/**
 * Makes it on an own broker, or gives it a new password.
 * @param prefix of the fleet's names.
 * @param own prefix of the callers' queues.
 * @returns the URL to connect by.
 */
export async function addForger(
  { amqp: amqpUrl, management = "" }: Urls,
  prefix: string,
  own: string,
): Promise<string> {
  const password = randomUUID();
  await ask(management, "PUT", ["users", FORGER], { password, tags: "" });
  const queues = `${RegExp.escape(own)}\\..*`;
  const exchange = RegExp.escape(`${prefix}.jobs`);
  await ask(management, "PUT", ["permissions", vhostOf(amqpUrl), FORGER], {
    configure: `^${queues}$`,
    write: `^(${queues}|${exchange})$`,
    read: `^${queues}$`,
  });
  const url = new URL(amqpUrl);
  url.username = FORGER;
  url.password = password;
  return url.href;
}
