/**
 * The judge of a run: rules a to h over the history and the end state. It shares no code with the
 * runtime, so that a mistake of the runtime's can't hide itself here.
 */
import { countBy, type EndState, type Evidence, indexEvidence } from "./evidence.ts";
import type { PlannedJob, Stamped } from "./history.ts";

export type Category =
  | "lost"
  | "double_effects"
  | "stuck"
  | "quarantined_wrongly"
  | "attempts_burned"
  | "other";

export interface Finding {
  rule: "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "exit" | "run";
  category: Category;
  jobId?: string;
  message: string;
}

/** Actions that write the ledger in the transaction of their result. */
const WRITES_LEDGER = new Set([
  "ledger",
  "batch",
  "flaky",
  "rejects",
  "external",
  "later",
  "blocks",
  "consume",
  "oom",
]);

/** a. Confirmed jobs are rows, and every failed row has its dead letter. */
export function everyConfirmedJobEnded({ owed, rows, deadLetterIds }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const jobId of owed) {
    if (!rows.has(jobId))
      findings.push({
        rule: "a",
        category: "lost",
        jobId,
        message: "confirmed, yet it has no row",
      });
  }
  for (const { jobId, status, code } of rows.values()) {
    if (status === "failed" && !deadLetterIds.has(jobId))
      findings.push({
        rule: "a",
        category: "lost",
        jobId,
        message: `failed (${code}), yet no dead letter`,
      });
    if (status === "succeeded" && deadLetterIds.has(jobId))
      findings.push({
        rule: "a",
        category: "other",
        jobId,
        message: "succeeded, yet has a dead letter",
      });
  }
  return findings;
}

/** b. One ledger entry for a job that succeeded, none for one that failed. */
export function effectsHappenOnce({ jobs, rows, ledgerCounts }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const jobId of new Set([...rows.keys(), ...ledgerCounts.keys()])) {
    const count = ledgerCounts.get(jobId) ?? 0;
    const row = rows.get(jobId);
    const action = jobs.get(jobId)?.action;
    if (count > 1)
      findings.push({ rule: "b", category: "double_effects", jobId, message: `${count} effects` });
    if (count > 0 && row?.status !== "succeeded")
      findings.push({
        rule: "b",
        category: "double_effects",
        jobId,
        message: `an effect, yet the row is ${row?.code ?? "absent"}`,
      });
    if (count === 0 && row?.status === "succeeded" && action && WRITES_LEDGER.has(action))
      findings.push({
        rule: "b",
        category: "lost",
        jobId,
        message: "succeeded without its effect",
      });
  }
  return findings;
}

/** c. Whoever asked for a reply has it; all copies of it are the row's, byte for byte. */
export function repliesAreTheRow({ jobs, rows, replies, repliesByJob }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const row of rows.values()) {
    const job = jobs.get(row.jobId);
    if (job?.hasReplyTo && !repliesByJob.has(row.jobId))
      findings.push({
        rule: "c",
        category: "lost",
        jobId: row.jobId,
        message: "a row, yet no reply",
      });
    if (job && row.status === "succeeded" && outputOf(row.reply) !== expectedOutput(job))
      findings.push({
        rule: "c",
        category: "other",
        jobId: row.jobId,
        message: `wrong output: ${row.reply.slice(0, 200)}`,
      });
  }
  const bodies = new Map<string, string>();
  for (const { id, jobId, body, type } of replies) {
    const row = rows.get(jobId);
    if (!row) {
      findings.push({
        rule: "c",
        category: "double_effects",
        jobId,
        message: "a reply, yet no row",
      });
      continue;
    }
    if (body !== row.reply)
      findings.push({
        rule: "c",
        category: "double_effects",
        jobId,
        message: `a reply that is not the row's: ${body.slice(0, 200)}`,
      });
    if ((bodies.get(id) ?? body) !== body)
      findings.push({
        rule: "c",
        category: "double_effects",
        jobId,
        message: `two bodies under the reply id ${id}`,
      });
    bodies.set(id, body);
    const ending = row.status === "succeeded" ? ".result" : ".error";
    if (!type.endsWith(ending))
      findings.push({
        rule: "c",
        category: "other",
        jobId,
        message: `reply type ${type} for a ${row.status} row`,
      });
  }
  for (const [jobId, sent] of repliesByJob) {
    const ids = new Set(sent.map(({ id }) => id));
    if (ids.size > 1)
      findings.push({
        rule: "c",
        category: "other",
        jobId,
        message: `replies under ${ids.size} ids`,
      });
  }
  return findings;
}

/** d. The events that were announced are the events that the rows hold. */
export function eventsAreTheRows({ rows, events }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const stored = new Map<string, { jobId: string; type: string; body: string }>();
  for (const { jobId, events: own } of rows.values())
    for (const { id, type, body } of own) stored.set(id, { jobId, type, body });
  const seen = new Set<string>();
  for (const { id, type, body } of events) {
    seen.add(id);
    const event = stored.get(id);
    if (!event)
      findings.push({ rule: "d", category: "double_effects", message: `event ${id} is in no row` });
    else if (event.body !== body || event.type !== type)
      findings.push({
        rule: "d",
        category: "other",
        jobId: event.jobId,
        message: `event ${id} differs from its row`,
      });
  }
  for (const [id, { jobId }] of stored) {
    if (!seen.has(id))
      findings.push({
        rule: "d",
        category: "lost",
        jobId,
        message: `event ${id} was never announced`,
      });
  }
  return findings;
}

/** e. Nothing carries an id that nobody published. */
export function everyIdIsKnown({ jobs, rows, ledger, replies, end }: Evidence): Finding[] {
  const sources: [string, Iterable<string>][] = [
    ["row", rows.keys()],
    ["ledger entry", ledger.map(({ jobId }) => jobId)],
    ["reply", replies.map(({ jobId }) => jobId)],
    ["dead letter", end.deadLetters.map(({ jobId }) => jobId)],
  ];
  const findings: Finding[] = [];
  for (const [source, ids] of sources) {
    for (const jobId of new Set(ids)) {
      if (!jobs.has(jobId))
        findings.push({
          rule: "e",
          category: "double_effects",
          jobId,
          message: `a ${source} of an unknown job`,
        });
    }
  }
  return findings;
}

/** f. Everything came to rest: queues are empty, nothing is unacked, open or held. */
export function everythingIsAtRest({ end }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const stuck = (message: string) => findings.push({ rule: "f", category: "stuck", message });
  if (end.restless) stuck(`never came to rest: ${end.restless}`);
  for (const { name, ready, unacked } of end.queues)
    if (ready + unacked > 0) stuck(`queue ${name}: ${ready} ready, ${unacked} unacked`);
  for (const transaction of end.openTransactions) stuck(`open transaction: ${transaction}`);
  for (const key of end.heldClaims) stuck(`claim still held: ${key}`);
  return findings;
}

/** g. Only throwing counts as an attempt, only a culprit is quarantined, and each job ends in its only right way. */
export function attemptsAreEarned({ jobs, rows, ledger, maxAttempts }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const row of rows.values()) {
    const { jobId, status, code, attempt } = row;
    const job = jobs.get(jobId);
    if (!job) continue;
    if (code === "quarantined" && job.action !== "oom") {
      findings.push({
        rule: "g",
        category: "quarantined_wrongly",
        jobId,
        message: `${job.action} is no culprit`,
      });
      continue;
    }
    if (code === "expired" && job.deadlineMs !== undefined) continue;
    const right = expectedEnding(job, maxAttempts);
    if (attempt > right.attempt || attempt > maxAttempts)
      findings.push({
        rule: "g",
        category: "attempts_burned",
        jobId,
        message: `attempt ${attempt}, earned ${right.attempt} (${job.action})`,
      });
    else if (attempt < right.attempt)
      findings.push({
        rule: "g",
        category: "other",
        jobId,
        message: `ended at attempt ${attempt} instead of ${right.attempt} (${job.action})`,
      });
    if (status !== right.status || code !== right.code) {
      const category = code === "attempts_exhausted" ? "attempts_burned" : "other";
      findings.push({
        rule: "g",
        category,
        jobId,
        message: `ended as ${code ?? status}, ${right.code ?? right.status} is right (${job.action}): ${row.reply.slice(0, 300)}`,
      });
    }
  }
  for (const { jobId, attempt } of ledger) {
    const row = rows.get(jobId);
    if (row && row.attempt !== attempt)
      findings.push({
        rule: "g",
        category: "other",
        jobId,
        message: `effect of attempt ${attempt}, row of ${row.attempt}`,
      });
  }
  return findings;
}

/** h. The outside world saw one idempotency key per job, the job's id. */
export function outsideSawOneKey({ jobs, rows, externals }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { nonce, key } of externals) {
    seen.add(nonce);
    if (key !== nonce)
      findings.push({
        rule: "h",
        category: "double_effects",
        jobId: nonce,
        message: `seen outside under the key ${key}`,
      });
  }
  for (const { id, action } of jobs.values()) {
    if (action === "external" && rows.get(id)?.status === "succeeded" && !seen.has(id))
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
export function claimsHold({ hasFaults, externals }: Evidence): Finding[] {
  if (hasFaults) return [];
  return [...countBy(externals.map(({ nonce }) => nonce))]
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
export function workersLive({ exits }: Evidence): Finding[] {
  return exits
    .filter(({ reason }) => reason === undefined)
    .map(({ worker, code, signal }) => ({
      rule: "exit",
      category: "other",
      message: `${worker} died of itself (${signal ?? `exit ${code}`})`,
    }));
}

export const RULES = [
  everyConfirmedJobEnded,
  effectsHappenOnce,
  repliesAreTheRow,
  eventsAreTheRows,
  everyIdIsKnown,
  everythingIsAtRest,
  attemptsAreEarned,
  outsideSawOneKey,
  claimsHold,
  nothingDeadlocks,
  workersLive,
];

/** Runs all rules. */
export function check(history: readonly Stamped[], end: EndState): Finding[] {
  const evidence = indexEvidence(history, end);
  return RULES.flatMap((rule) => rule(evidence));
}

/** The one right ending of a job that does not expire. */
function expectedEnding({ action, input }: PlannedJob, maxAttempts: number) {
  const failed = (code: string, attempt: number) => ({ status: "failed", code, attempt });
  if (action === "rejects") return failed("rejected", 1);
  if (input.poison === true) return failed("attempts_exhausted", maxAttempts);
  // Its runs crash, and a crash is no attempt.
  if (action === "oom") return failed("quarantined", 0);
  if (action === "flaky") {
    const failures = Number(input.failures);
    if (failures >= maxAttempts) return failed("attempts_exhausted", maxAttempts);
    return { status: "succeeded", code: null, attempt: failures + 1 };
  }
  return { status: "succeeded", code: null, attempt: 1 };
}

function expectedOutput({ id, action, input }: PlannedJob): string | undefined {
  return JSON.stringify(action === "consume" ? { job: id } : { job: id, doubled: input.n * 2 });
}

function outputOf(reply: string): string | undefined {
  try {
    // `run` names the run of the handler that made it: any is right, as long as it is the row's.
    const { run: _run, ...output } = JSON.parse(reply).output;
    return JSON.stringify(output);
  } catch {
    return undefined;
  }
}
