/** Whether the login proves that nobody sits between us and Postgres. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { readChannelBinding } from "@tl-engine/shared/wire/channel-binding";
import { type Check, ok, skipped, warning } from "../check.ts";
import { usesTls } from "./uses-tls.ts";

export const channelBinding: Check<Pool> = {
  name: "channel-binding",
  looksAt: "the login is bound to the TLS connection",
  async run(_pool, { config: { DATABASE_URL } }) {
    // A server that does not bind was not let in: see postgres.reach.
    if (readChannelBinding(DATABASE_URL).required) return ok("required, and kept");
    if (!usesTls(DATABASE_URL)) return skipped("no TLS to bind it to");
    return warning(
      "not required",
      "a server with a certificate that this machine trusts, and that is not yours, would be let in and asked for results",
      "add channel_binding=require to DATABASE_URL",
    );
  },
};
