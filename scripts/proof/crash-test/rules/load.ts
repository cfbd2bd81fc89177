/** The run itself: a fault that met no job, or a load that never got through, proves nothing. */
import { type Evidence, overlaps, type Span, type Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";

const LEAST_CONFIRMED = 0.5;

/** At least half of the jobs were confirmed by the broker. */
export function theLoadCameThrough({ of }: Evidence): Finding[] {
  const published = new Set(of("publish").map(({ job }) => job.id));
  const confirmed = new Set(of("confirm").map(({ jobId }) => jobId));
  if (confirmed.size >= published.size * LEAST_CONFIRMED) return [];
  const message = `only ${confirmed.size} of ${published.size} jobs were confirmed`;
  return [{ rule: "load", category: "no_load", message }];
}

/** Every fault met jobs that were published and not answered yet. */
export function faultsMetLoad(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  const confirmedMs = new Map<string, number>();
  for (const { jobId, at } of evidence.of("confirm"))
    if (!confirmedMs.has(jobId)) confirmedMs.set(jobId, at);
  const lives = [...evidence.stories.values()].flatMap((story) => lifeOf(story, confirmedMs));
  const open = new Map<string, number>();
  for (const { fault, phase, at } of evidence.of("fault")) {
    if (phase === "inject") open.set(fault, at);
    else if (!lives.some((life) => overlaps(life, { fromMs: open.get(fault) ?? at, toMs: at + 1 })))
      findings.push({ rule: "load", category: "no_load", message: `${fault} met no job` });
  }
  return findings;
}

/** From the first confirm to the last thing that was heard of it. */
function lifeOf({ id, runs, replies }: Story, confirmedMs: Map<string, number>): Span[] {
  const fromMs = confirmedMs.get(id);
  if (fromMs === undefined) return [];
  const signs = [...runs.map(({ endMs }) => endMs), ...replies.map(({ at }) => at)];
  return [{ fromMs, toMs: signs.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...signs) }];
}
