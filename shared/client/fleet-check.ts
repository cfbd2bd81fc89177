/** Asks the broker whether there is a fleet under the client's prefix: Redis would take a question under any. */
import type { BrokerNames } from "../wire/names.ts";
import { brokerCode, plain } from "./amqp-client-insides.ts";
import type { Connection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";
import type { Link } from "./link.ts";
import { patientTimeout } from "./patience.ts";

/** A broker that says nothing for so long leaves the question open. */
const TIMEOUT_MS = 2_000;

/**
 * Returns a check that rejects with BrokerUnavailable (`topology_missing`) where the broker has no exchange for jobs
 * under this prefix. Once it was there it is not asked again; while there is no connection it can't be known.
 */
export function fleetCheck(link: Link, { jobs }: BrokerNames): () => Promise<void> {
  let isThere = false;
  return async () => {
    const { connection } = link;
    if (isThere || !connection) return;
    const asked = await asking(connection, jobs);
    if (asked === "there") isThere = true;
    else if (asked !== undefined)
      throw new BrokerUnavailable("topology_missing", false, { cause: asked });
  };
}

/** The broker's refusal where the exchange is missing; undefined where it does not say. */
async function asking(
  connection: Connection,
  exchange: string,
): Promise<"there" | Error | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const stop = patientTimeout(TIMEOUT_MS, () => resolve(undefined));
  try {
    return await Promise.race([declarePassively(connection, exchange), late]);
  } catch (error) {
    return brokerCode(error) === 404 ? plain(error) : undefined;
  } finally {
    stop();
  }
}

async function declarePassively(connection: Connection, exchange: string): Promise<"there"> {
  // A missing one closes the channel, so it is one of its own.
  const channel = await connection.channel();
  channel.onerror = () => {};
  await channel.exchangeDeclare(exchange, "direct", { passive: true });
  channel.close().catch(() => {});
  return "there";
}
