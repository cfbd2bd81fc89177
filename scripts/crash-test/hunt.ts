/**
 * Hunts planted bugs: runs of more and more faults, each of another plan, until every bug is found or their
 * faults are used up. Jobs without a bug are among the load, and must have no finding.
 */
import { laneOf } from "./bugs/lanes.ts";
import type { Finding } from "./finding.ts";
import { runCrashTest } from "./run.ts";
import type { CrashServices } from "./services.ts";

/** Faults of the runs of one hunt, the parts of one plan of 100: most bugs need few. */
const LEGS = [16, 34, 50];
const ALL_FAULTS = 100;
const JOBS_PER_FAULT = 84;
/** Low enough for jobs that crashes of their neighbours deliver again. */
const LOW_DELIVERY_LIMIT = 2;

export interface Found {
  bug: string;
  seed: number;
  /** Faults after which it was found; undefined when it was not. */
  afterFaults: number | undefined;
  /** What the checker said of it first. */
  as: string;
}

export interface Hunt {
  /** Laned bugs, or a lone one; none for a control. */
  bugs: string[];
  seed: number;
}

export async function hunt(
  services: CrashServices,
  { bugs, seed }: Hunt,
  say: (line: string) => void,
): Promise<{ found: Found[]; falseAlarms: string[] }> {
  const found = new Map<string, Found>();
  const falseAlarms: string[] = [];
  let faults = 0;
  for (const [leg, more] of LEGS.entries()) {
    const left = bugs.filter((bug) => !found.has(bug));
    if (bugs.length > 0 ? left.length === 0 : faults > 0) break;
    const { findings } = await runCrashTest({
      services,
      faults: more,
      jobs: more * JOBS_PER_FAULT,
      seed,
      part: { from: faults, of: ALL_FAULTS },
      only: [],
      folder: `hunt-${seed}-${left[0] ?? "control"}-${leg}`,
      say: () => {},
      ...(left.length > 0 ? { bugs: left } : {}),
      ...(left.includes("delivery-limit-low") ? { deliveryLimit: LOW_DELIVERY_LIMIT } : {}),
    });
    faults += more;
    for (const finding of certain(findings, left)) {
      const bug = culprit(finding, left);
      if (bug === undefined) falseAlarms.push(describe(finding));
      else if (bug !== null && !found.has(bug))
        found.set(bug, { bug, seed, afterFaults: faults, as: describe(finding) });
    }
    say(`seed ${seed}, ${faults} faults: ${found.size} of ${bugs.length} found`);
  }
  for (const bug of bugs)
    if (!found.has(bug)) found.set(bug, { bug, seed, afterFaults: undefined, as: "not found" });
  return { found: [...found.values()], falseAlarms };
}

/**
 * What does not depend on how long it was waited. A bug can keep all jobs from their end; then what jobs without
 * one still lack says nothing, of no lane.
 */
function certain(findings: Finding[], bugs: string[]): Finding[] {
  const isLack = ({ category, jobId }: Finding) => category === "lost" && jobId !== undefined;
  const isHeldUp =
    bugs.length > 1 && findings.some((one) => isLack(one) && culprit(one, bugs) === undefined);
  const isRestless = findings.some(({ message }) => message.startsWith("never came to rest"));
  return isHeldUp && isRestless ? findings.filter((one) => !isLack(one)) : findings;
}

/** The bug that a finding tells of: a lone one is to blame for all; null where it could be any of several. */
function culprit({ jobId }: Finding, bugs: string[]): string | null | undefined {
  if (bugs.length === 0) return undefined;
  if (bugs.length === 1) return bugs[0];
  if (jobId === undefined || jobId.startsWith("ev-")) return null;
  const lane = laneOf(jobId);
  return lane === 0 ? undefined : bugs[lane - 1];
}

const describe = ({ rule, category, jobId, message }: Finding) =>
  `${category} (rule ${rule})${jobId ? ` ${jobId}` : ""}: ${message.slice(0, 160)}`;
