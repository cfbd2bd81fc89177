/** Rules f and h, and the processes: all comes to rest, the outside saw one key, and workers die only when killed. */
import { countBy, type Evidence } from "../evidence.ts";
import type { Finding } from "../finding.ts";

/** f. Everything came to rest: queues are empty, nothing is unacked, open or held. */
export function everythingIsAtRest({ end }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const stuck = (message: string) => findings.push({ rule: "f", category: "stuck", message });
  if (end.restless) stuck(`never came to rest: ${end.restless}`);
  for (const { name, ready, unacked } of end.queues)
    if (ready + unacked > 0) stuck(`queue ${name}: ${ready} ready, ${unacked} unacked`);
  for (const transaction of end.openTransactions) stuck(`open transaction: ${transaction}`);
  for (const key of end.heldClaims) {
    const jobId = key.split(":").at(-1);
    const message = `claim still held: ${key}`;
    findings.push({ rule: "f", category: "stuck", ...(jobId && { jobId }), message });
  }
  return findings;
}

/** h. The outside world saw one idempotency key per job, the job's id. */
export function outsideSawOneKey({ stories, of }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { nonce, key } of of("external")) {
    seen.add(nonce);
    if (key !== nonce)
      findings.push({
        rule: "h",
        category: "double_effects",
        jobId: nonce,
        message: `seen outside under the key ${key}`,
      });
  }
  for (const { id, job, row } of stories.values()) {
    if (job.action === "external" && row?.status === "succeeded" && !seen.has(id))
      findings.push({
        rule: "h",
        category: "lost",
        jobId: id,
        message: "succeeded, never seen outside",
      });
  }
  return findings;
}

/** h. Where nothing went wrong, the claims kept two workers from running one job. */
export function claimsHold({ hasFaults, of }: Evidence): Finding[] {
  if (hasFaults) return [];
  return [...countBy(of("external").map(({ nonce }) => nonce))]
    .filter(([, times]) => times > 1)
    .map(([jobId, times]) => ({
      rule: "h",
      category: "other",
      jobId,
      message: `ran ${times} times, though nothing went wrong`,
    }));
}

/** f. Transactions take their locks in one order. */
export function nothingDeadlocks({ end }: Evidence): Finding[] {
  if (end.deadlocks === 0) return [];
  return [{ rule: "f", category: "other", message: `${end.deadlocks} deadlocks in Postgres` }];
}

/** Workers die only when the crash test kills them. */
export function workersLive({ of }: Evidence): Finding[] {
  return of("exit")
    .filter(({ reason }) => reason === undefined)
    .map(({ worker, code, signal }) => ({
      rule: "exit",
      category: "other",
      message: `${worker} died of itself (${signal ?? `exit ${code}`})`,
    }));
}
