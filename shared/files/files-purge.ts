/** Sweeps an engine's files in the place of the purges: at start, and after jobs. */
import type { Logger } from "pino";
import type { Queryable } from "../stores/database.ts";
import { type Purge, purgeOf } from "../stores/purge.ts";
import type { FilesTools } from "./job-files.ts";
import { sweepFiles } from "./sweep.ts";

/** Rows cost nothing to ask; looking through the bucket is billed by the thousand objects. */
const LISTING_INTERVAL_MS = 3_600_000;

export function createFilesPurge(tools: FilesTools, client: Queryable, log: Logger): Purge {
  let nextListingMs = 0;
  return purgeOf("files", { log, firstMs: 0 }, async () => {
    const isListing = performance.now() >= nextListingMs;
    const swept = await sweepFiles({ ...tools, client, isListing });
    if (isListing) nextListingMs = performance.now() + LISTING_INTERVAL_MS;
    log.debug(swept, "swept files");
    return swept.isMore;
  });
}
