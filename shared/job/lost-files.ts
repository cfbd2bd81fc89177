/** What becomes of a job whose files went wrong: of an outage of S3, and of what a run that failed has written. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { JobFiles } from "../files/job-files.ts";
import type { Outage, Unfinished } from "./handle.ts";

/** Until a job that met an outage of S3 comes again. */
const AGAIN_DELAY_MS = 30_000;
/** What S3 does not remove by then, the sweep does. */
const DISCARD_PATIENCE_MS = 2_000;

/**
 * I4. An outage is no attempt. The worker goes on meanwhile, for other jobs may need no file; a job that alone is
 * refused, while S3 answers everybody else, is counted as for any other error, and so comes to an end.
 */
export async function afterFilesOutage<Ran extends Unfinished | Outage>(
  ran: Ran,
  files: JobFiles | undefined,
  log: Logger,
): Promise<Ran | Unfinished> {
  if (ran.kind !== "threw" || files?.lost === undefined || !(await files.isDown())) return ran;
  log.warn(
    { err: files.lost, alert: "files_down" },
    "S3 can't be used, the job comes again uncounted",
  );
  return { kind: "later", delayMs: AGAIN_DELAY_MS };
}

/** Never throws. */
export async function discardFiles(files: JobFiles | undefined): Promise<void> {
  if (files === undefined) return;
  await Promise.race([files.discard(), sleep(DISCARD_PATIENCE_MS, undefined, { ref: false })]);
}
