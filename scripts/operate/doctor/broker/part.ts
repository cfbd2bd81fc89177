/** The broker by AMQP, as a worker opens it. */
import {
  type Connection,
  closeChannel,
  closeConnection,
  openFirstConnection,
} from "@tl-engine/shared/broker/connection";
import type { Fleet, Opened, Part } from "../check.ts";
import type { DoctorConfig } from "../environment.ts";
import { judgeLatency } from "../latency.ts";
import { tls } from "./tls.ts";
import { topology } from "./topology.ts";
import { url } from "./url.ts";

/** No client of AMQP for the shell comes with either broker. */
function byHand({ AMQP_URL }: DoctorConfig): string {
  const { protocol, hostname, port } = new URL(AMQP_URL);
  return `nc -vz ${hostname} ${port || (protocol === "amqps:" ? 5671 : 5672)}`;
}

async function open({ config }: Fleet): Promise<Opened<Connection>> {
  const connection = await openFirstConnection(config, "tl-engine doctor");
  const { model, profile } = connection;
  const { version = "(does not say which)" } = model.connection.serverProperties;
  const close = () => closeConnection(model);
  try {
    const ask = async () => closeChannel(await model.createChannel());
    const found = await judgeLatency(`${profile.product} ${version}`, ask, byHand(config));
    return { source: connection, found, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export const broker: Part<Connection> = {
  name: "broker",
  byHand,
  open,
  checks: [url, topology, tls],
};
