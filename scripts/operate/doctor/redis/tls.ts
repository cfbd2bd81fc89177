/** How long Redis' certificate is good. */
import type { Redis } from "@tl-engine/shared/stores/redis";
import { checkExpiry, inClear } from "../certificate.ts";
import type { Check } from "../check.ts";

export const tls: Check<Redis> = {
  name: "tls",
  looksAt: "encrypted, and until when the certificate is good",
  async run(_redis, { config: { REDIS_URL: url }, now }) {
    const server = { variable: "REDIS_URL", url, defaultPort: 6379 };
    return url.startsWith("rediss:") ? checkExpiry(server, now) : inClear(server, "rediss://");
  },
};
