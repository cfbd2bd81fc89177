/** How long Postgres' certificate is good. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { checkExpiry, inClear } from "../certificate.ts";
import type { Check } from "../check.ts";
import { usesTls } from "./uses-tls.ts";

export const tls: Check<Pool> = {
  name: "tls",
  looksAt: "encrypted, and until when the certificate is good",
  async run(_pool, { config, now }) {
    const server = {
      variable: "DATABASE_URL",
      url: config.DATABASE_URL,
      defaultPort: 5432,
      isPostgres: true,
    };
    if (!usesTls(config.DATABASE_URL)) return inClear(server, "?sslmode=verify-full");
    return checkExpiry(server, now);
  },
};
