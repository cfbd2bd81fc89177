/** The broker by AMQP, as a worker opens it. */
import {
  type Connection,
  closeChannel,
  closeConnection,
  openFirstConnection,
} from "@tl-engine/shared/broker/connection";
import type { Fleet, Opened, Part } from "../check.ts";
import { judgeLatency } from "../latency.ts";
import { tls } from "./tls.ts";
import { topology } from "./topology.ts";
import { url } from "./url.ts";

const BY_HAND =
  "nc -vz <host> <port> of AMQP_URL; rabbitmqctl authenticate_user <user>; rabbitmqctl list_permissions -p /engine";

async function open({ config }: Fleet): Promise<Opened<Connection>> {
  const connection = await openFirstConnection(config, "tl-engine doctor");
  const { model, profile } = connection;
  const { version = "(does not say which)" } = model.connection.serverProperties;
  const close = () => closeConnection(model);
  try {
    const ask = async () => closeChannel(await model.createChannel());
    const found = await judgeLatency(`${profile.product} ${version}`, ask, BY_HAND);
    return { source: connection, found, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export const broker: Part<Connection> = {
  name: "broker",
  byHand: BY_HAND,
  open,
  checks: [url, topology, tls],
};
