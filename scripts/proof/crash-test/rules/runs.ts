/** Rule j: who may run a job, and when: one worker at a time, in time, and not once it was cancelled. */
import { type Evidence, overlaps, type Run, STALL_ECHO_MS, type Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";

/** Processes need a moment between what they do and what they note. */
const TOLERANCE_MS = 100;
/** A cancellation reaches a worker by its next heartbeat, if not at once. */
const CANCEL_REACH_MS = 3_000;
/**
 * The rest of the lease, the delay tier that a busy copy waits on, and a queue in between; and a job that was there
 * at two crashes waits for its turn alone, again in each worker that is killed meanwhile.
 */
const TAKEOVER_MS = 90_000;

/** Whether a worker may have gone without claims, or lost one. */
function mayGoUnclaimed(evidence: Evidence, worker: string, fromMs: number, toMs: number) {
  const stalls = evidence.stalls.get(worker) ?? [];
  const echoes = stalls.map((stall) => ({ ...stall, toMs: stall.toMs + STALL_ECHO_MS }));
  return [...evidence.redisLost, ...echoes].some((span) => overlaps(span, { fromMs, toMs }));
}

/** j. No two runs of one job at once, as long as the first one's lease holds. */
export function oneRunAtOnce(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const { id: jobId, runs } of evidence.stories.values()) {
    const sorted = runs.toSorted((a, b) => a.startMs - b.startMs);
    for (const [index, second] of sorted.entries()) {
      const first = sorted.slice(0, index).find((run) => run.endMs > second.startMs + TOLERANCE_MS);
      if (!first || mayHaveLostLease(first, second, evidence)) continue;
      const ms = Math.round(second.startMs - first.startMs);
      const message = `${second.worker} began to run it ${ms} ms after ${first.worker}, which still did`;
      findings.push({ rule: "j", category: "double_effects", jobId, message });
    }
  }
  return findings;
}

function mayHaveLostLease(first: Run, second: Run, evidence: Evidence): boolean {
  const fromMs = first.startMs - evidence.leaseMs;
  return (
    mayGoUnclaimed(evidence, first.worker, fromMs, second.startMs) ||
    mayGoUnclaimed(evidence, second.worker, second.startMs - evidence.leaseMs, second.startMs)
  );
}

/** A worker with a clock of its own ends, with what it has in hand, after the fault. */
const CLOCK_ECHO_MS = 10_000;

/** j. A job does not succeed by a run that began after its deadline; a retry keeps it. */
export function deadlinesAreKept({ stories, of }: Evidence): Finding[] {
  const findings: Finding[] = [];
  // A worker whose clock is ahead refuses what another one, with a copy of it, runs.
  const skewed = of("fault").filter(({ fault }) => fault.startsWith("clock-"));
  const wasSkewed = (at: number) => {
    const [last] = skewed.filter((fault) => fault.at <= at).slice(-1);
    return last?.phase === "inject" || (last !== undefined && at - last.at < CLOCK_ECHO_MS);
  };
  for (const { id: jobId, job, runs, copies, row, replies } of stories.values()) {
    const { deadlineMs } = job;
    // A replay, and another caller's copy, have none or their own.
    if (deadlineMs === undefined || copies.some((copy) => copy.job.deadlineMs !== deadlineMs))
      continue;
    const good = runs.filter(
      ({ ended, attempt }) => ended === "returned" && attempt === row?.attempt,
    );
    const earliest = Math.min(...good.map(({ startMs }) => startMs));
    const isSkewed = runs.some(({ skewMs }) => skewMs !== 0);
    if (
      row?.status === "succeeded" &&
      !isSkewed &&
      good.length > 0 &&
      earliest > deadlineMs + TOLERANCE_MS
    ) {
      const ms = Math.round(earliest - deadlineMs);
      const message = `it succeeded in a run that began ${ms} ms after its deadline`;
      findings.push({ rule: "j", category: "other", jobId, message });
    }
    const [told] = replies;
    if (
      row?.code === "expired" &&
      told &&
      told.at < deadlineMs &&
      runs.length > 0 &&
      !isSkewed &&
      !wasSkewed(told.at)
    )
      findings.push({
        rule: "j",
        category: "other",
        jobId,
        message: "expired before its deadline",
      });
  }
  return findings;
}

/** j. What the caller was told is cancelled neither begins nor goes on. */
export function cancelsAreHonoured(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of evidence.stories.values()) {
    // A replay starts afresh.
    if (story.copies.some(({ generation }) => generation > 0)) continue;
    for (const { at, requested, isBeforePublish } of story.cancels) {
      if (!requested) continue;
      const run = story.runs.find((one) => outlives(one, at, isBeforePublish));
      if (!run || mayGoUnclaimed(evidence, run.worker, at - CANCEL_REACH_MS, run.endMs)) continue;
      const message = `cancelled, yet ${run.worker} ran it until ${Math.round(run.endMs - at)} ms later`;
      findings.push({ rule: "j", category: "other", jobId: story.id, message });
    }
  }
  return findings;
}

const outlives = ({ startMs, endMs, ended }: Run, at: number, isBefore: boolean) =>
  startMs > at + (isBefore ? 0 : CANCEL_REACH_MS) ||
  (ended === "returned" && endMs > at + CANCEL_REACH_MS);

/** j. The job of a worker that died is taken over in bounded time. */
export function deadWorkersAreReplaced({ stories, of }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const exits = of("exit");
  for (const { id: jobId, runs, replies, letters } of stories.values()) {
    for (const cut of runs.filter(({ ended }) => ended === "cut")) {
      if (!exits.some(({ worker, reason }) => worker === cut.worker && reason !== "stop")) continue;
      const signs = [
        ...runs.map(({ startMs }) => startMs),
        ...replies.map(({ at }) => at),
        ...letters.map(({ at }) => at),
      ].filter((at) => at > cut.endMs);
      const waited = Math.min(...signs) - cut.endMs;
      if (signs.length === 0 || waited <= TAKEOVER_MS) continue;
      const message = `nobody took it over for ${Math.round(waited)} ms after ${cut.worker} died`;
      findings.push({ rule: "j", category: "stuck", jobId, message });
    }
  }
  return findings;
}

/** j. Refused, expired and cancelled jobs that never ran have no run. */
export function unrunJobsDidNotRun({ stories }: Evidence): Finding[] {
  const isUnrun = ({ row, copies }: Story) =>
    row?.status === "failed" &&
    (row.code === "invalid_input" || copies.every(({ burial }) => burial === "expired"));
  return [...stories.values()]
    .filter((story) => isUnrun(story) && story.runs.length > 0)
    .map(({ id, row }) => ({
      rule: "j",
      category: "other",
      jobId: id,
      message: `it ran, yet it ended as ${row?.code}`,
    }));
}
