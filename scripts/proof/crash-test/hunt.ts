/**
 * Hunts planted bugs: plays a part of a plan of faults with bugs in the workers, and tells which of them the
 * checker found. Jobs without a bug are among the load, and must have no finding.
 */
import { laneOf } from "./bugs/lanes.ts";
import type { Finding } from "./finding.ts";
import { runCrashTest } from "./run.ts";
import type { CrashServices } from "./services.ts";

const JOBS_PER_FAULT = 84;
/** Faults of a whole plan. */
export const ALL_FAULTS = 100;
/** Low enough for jobs that crashes of their neighbours deliver again. */
const LOW_DELIVERY_LIMIT = 2;

export interface Hunt {
  /** Laned bugs, or a lone one; none for a control. */
  bugs: string[];
  seed: number;
  /** The part of the seed's plan. */
  from: number;
  faults: number;
}

/** Of each bug that was found, what the checker said of it first. */
export interface Caught {
  found: { bug: string; as: string }[];
  falseAlarms: string[];
}

export async function hunt(
  services: CrashServices,
  { bugs, seed, from, faults }: Hunt,
): Promise<Caught> {
  const { findings } = await runCrashTest({
    services,
    faults,
    jobs: faults * JOBS_PER_FAULT,
    seed,
    part: { from, of: ALL_FAULTS },
    only: [],
    folder: `hunt-${seed}-${from}-${bugs[0] ?? "control"}`,
    say: () => {},
    ...(bugs.length > 0 ? { bugs } : {}),
    ...(bugs.includes("delivery-limit-low") ? { deliveryLimit: LOW_DELIVERY_LIMIT } : {}),
  });
  const found = new Map<string, string>();
  const falseAlarms: string[] = [];
  for (const finding of certain(findings, bugs)) {
    const bug = culprit(finding, bugs);
    if (bug === undefined) falseAlarms.push(describe(finding));
    else if (bug !== null && !found.has(bug)) found.set(bug, describe(finding));
  }
  return { found: [...found].map(([bug, as]) => ({ bug, as })), falseAlarms };
}

/**
 * What does not depend on how long it was waited. A bug can keep all jobs from their end; then what jobs without
 * one still lack says nothing, of no lane.
 */
function certain(findings: Finding[], bugs: string[]): Finding[] {
  const isLack = ({ category, jobId }: Finding) =>
    (category === "lost" || category === "stuck") && jobId !== undefined;
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
