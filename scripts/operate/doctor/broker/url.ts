/** Whether AMQP_URL names the vhost as every client reads it. */
import { vhostOf } from "@tl-engine/shared/broker/address";
import type { Connection } from "@tl-engine/shared/broker/connection";
import { type Check, ok, warning } from "../check.ts";

export const url: Check<Connection> = {
  name: "vhost",
  looksAt: "AMQP_URL encodes its vhost, so that every client reads the same",
  async run(_connection, { config: { AMQP_URL } }) {
    const raw = new URL(AMQP_URL).pathname.slice(1);
    const vhost = vhostOf(AMQP_URL);
    if (!raw.includes("/")) return ok(`vhost ${vhost}`);
    return warning(
      `vhost ${vhost}, not encoded`,
      "a / in the vhost stands in AMQP_URL as it is: other clients, such as Celery's and KEDA's, read another vhost there",
      `write it as ${encodeURIComponent(vhost)} in AMQP_URL`,
    );
  },
};
