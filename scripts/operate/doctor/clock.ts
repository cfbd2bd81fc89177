/** Compares a server's clock with ours: jobs expire, claims end and results age by both. */
import { type Finding, failure, ok, warning } from "./check.ts";

const WARNING_MS = 2_000;
/** Past it a deadline of half a minute means something else to each side. */
const FAILURE_MS = 15_000;

/**
 * @param readServerMs asks the server for its clock.
 * @param precisionMs of what it says.
 */
export async function compareClocks(
  now: () => number,
  readServerMs: () => Promise<number>,
  precisionMs = 0,
): Promise<Finding> {
  const beforeMs = now();
  const serverMs = await readServerMs();
  const afterMs = now();
  // It was read somewhere in between, and stands for all of its last digit.
  const skewMs =
    serverMs > afterMs ? serverMs - afterMs : Math.min(0, serverMs + precisionMs - beforeMs);
  const seconds = `${(Math.abs(skewMs) / 1_000).toFixed(1)} s`;
  if (Math.abs(skewMs) <= WARNING_MS) return ok(`within ${WARNING_MS / 1_000} s of ours`);
  const found = `${seconds} ${skewMs > 0 ? "ahead of" : "behind"} ours`;
  const cause =
    "one of the two clocks is not kept: deadlines, leases and the age of jobs are read wrong";
  const level = Math.abs(skewMs) > FAILURE_MS ? failure : warning;
  return level(found, cause, "timedatectl status");
}
