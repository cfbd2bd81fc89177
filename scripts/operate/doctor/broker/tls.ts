/** How long the broker's certificate is good. */
import type { Connection } from "@tl-engine/shared/broker/connection";
import { checkExpiry, inClear } from "../certificate.ts";
import type { Check } from "../check.ts";

export const tls: Check<Connection> = {
  name: "tls",
  looksAt: "encrypted, and until when the certificate is good",
  async run(_connection, { config: { AMQP_URL: url }, now }) {
    const server = { variable: "AMQP_URL", url, defaultPort: 5671 };
    return url.startsWith("amqps:") ? checkExpiry(server, now) : inClear(server, "amqps://");
  },
};
