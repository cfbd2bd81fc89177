/** Rule k: nobody takes what others need: jobs are answered in time whatever is under way, and no worker holds too much. */
import type { Evidence, Run } from "../evidence.ts";
import type { Finding } from "../finding.ts";

/** k. Whoever was promised an answer in time has it in time. One that never came is another rule's. */
export function nobodyIsStarved({ stories, of }: Evidence): Finding[] {
  const confirmedMs = new Map(of("confirm").map(({ jobId, at }) => [jobId, at]));
  const findings: Finding[] = [];
  for (const { id: jobId, job, replies } of stories.values()) {
    const fromMs = confirmedMs.get(jobId);
    const [first] = replies;
    if (job.withinMs === undefined || fromMs === undefined || first === undefined) continue;
    const waitedMs = first.at - fromMs;
    if (waitedMs <= job.withinMs) continue;
    const message = `answered after ${waitedMs} ms, ${job.withinMs} ms is right (${job.action})`;
    findings.push({ rule: "k", category: "stuck", jobId, message });
  }
  return findings;
}

/** k. The bodies of what a worker runs at once are no more than it may hold; one that is larger runs alone. */
export function memoryIsBounded({ runs, stories, maxHeldBytes }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const bytesOf = ({ jobId }: Run) => Number(stories.get(jobId)?.job.input.padBytes ?? 0);
  const heavy = runs.filter((run) => bytesOf(run) > 0);
  for (const [worker, own] of Map.groupBy(heavy, (run) => run.worker)) {
    for (const run of own) {
      const atOnce = own.filter((one) => one.startMs <= run.startMs && run.startMs < one.endMs);
      const bytes = atOnce.reduce((sum, one) => sum + bytesOf(one), 0);
      if (atOnce.length < 2 || bytes <= maxHeldBytes) continue;
      const message = `${worker} held ${bytes} bytes at once, ${maxHeldBytes} is the most`;
      findings.push({ rule: "k", category: "other", jobId: run.jobId, message });
      break;
    }
  }
  return findings;
}
