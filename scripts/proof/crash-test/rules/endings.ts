/** Rules a, b, e and g: every job ends once, in its only right way, and has its effect as often as it should. */
import type { Evidence, ResultRow, Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";
import { rightEndings } from "./expected.ts";

/** Actions that write the ledger in the transaction of their result. */
const WRITES_LEDGER = new Set([
  "ledger",
  "batch",
  "flaky",
  "rejects",
  "external",
  "later",
  "blocks",
  "heavy",
  "consume",
  "oom",
]);

/** a. Confirmed jobs are rows. */
export function everyConfirmedJobEnded({ owed, rows }: Evidence): Finding[] {
  return [...owed]
    .filter((jobId) => !rows.has(jobId))
    .map((jobId) => ({
      rule: "a",
      category: "lost",
      jobId,
      message: "confirmed, yet it has no row",
    }));
}

/** b. One ledger entry for a job that succeeded, none for one that failed. */
export function effectsHappenOnce({ stories, rows, end }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const counts = Map.groupBy(end.ledger, ({ jobId }) => jobId);
  for (const jobId of new Set([...rows.keys(), ...counts.keys()])) {
    const count = counts.get(jobId)?.length ?? 0;
    const row = rows.get(jobId);
    const action = stories.get(jobId)?.job.action;
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

/** e. Nothing carries an id that nobody published. */
export function everyIdIsKnown({ stories, rows, end, runs, of }: Evidence): Finding[] {
  const sources: [string, Iterable<string>][] = [
    ["row", rows.keys()],
    ["ledger entry", end.ledger.map(({ jobId }) => jobId)],
    ["run", runs.map(({ jobId }) => jobId)],
    ["dead letter", of("letter").map(({ id }) => id)],
  ];
  const findings: Finding[] = [];
  for (const [source, ids] of sources) {
    for (const jobId of new Set(ids)) {
      if (!stories.has(jobId) && !isUnannounced(jobId, source, rows))
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

/** A run of a job that an event began, whose row is in a queue that was deleted since. */
const isUnannounced = (jobId: string, source: string, rows: Evidence["rows"]) =>
  source === "run" && jobId.startsWith("ev-") && !rows.has(jobId);

/** g. Only throwing counts as an attempt, and each job ends in its only right way. */
export function attemptsAreEarned(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of evidence.stories.values())
    if (story.row) findings.push(...judgeEnding(story, story.row, evidence));
  for (const { jobId, attempt } of evidence.end.ledger) {
    const row = evidence.rows.get(jobId);
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

function judgeEnding(story: Story, row: ResultRow, evidence: Evidence): Finding[] {
  const { id: jobId, job, copies } = story;
  const { status, code, attempt } = row;
  const say = (category: Finding["category"], message: string): Finding[] => [
    { rule: "g", category, jobId, message: `${message} (${job.action})` },
  ];
  const right = rightEndings(story, evidence);
  const most = Math.max(...right.map((ending) => ending.attempt));
  const asked = Math.max(...copies.map(({ generation }) => generation));
  if (row.generation > asked) return say("other", `a row of generation ${row.generation}`);
  if (code === "quarantined" && job.action !== "oom") return judgeQuarantine(story, evidence);
  if (code === "expired" && copies.some((copy) => copy.job.deadlineMs !== undefined)) return [];
  if (code === "cancelled" && story.cancels.length > 0) return [];
  const sameWay = right.filter((ending) => ending.status === status && ending.code === code);
  if (sameWay.length === 0) {
    const category = code === "attempts_exhausted" ? "attempts_burned" : "other";
    const ways = right.map((ending) => ending.code ?? ending.status).join(" or ");
    return say(
      category,
      `ended as ${code ?? status}, ${ways} is right: ${row.reply.slice(0, 300)}`,
    );
  }
  if (sameWay.some((ending) => ending.attempt === attempt)) return [];
  return attempt > most
    ? say("attempts_burned", `attempt ${attempt}, earned ${most}`)
    : say("other", `ended at attempt ${attempt} instead of ${sameWay[0]?.attempt}`);
}

/** Of the runs that ended with their process so many make a culprit, and the last two of them alone. */
const QUARANTINE_AFTER = 4;
const ALONE_AFTER = 2;

/**
 * A job whose process was killed under it four times, the last two times while nothing else ran in it, can't
 * be told from a culprit. All others are innocent.
 */
function judgeQuarantine({ id, job, runs }: Story, evidence: Evidence): Finding[] {
  const cut = runs.filter(({ ended }) => ended === "cut").sort((a, b) => a.endMs - b.endMs);
  const alone = cut.filter(
    (own) =>
      !evidence.runs.some(
        (other) =>
          other.jobId !== id &&
          other.worker === own.worker &&
          other.endMs >= own.endMs &&
          other.startMs < own.endMs,
      ),
  );
  if (cut.length >= QUARANTINE_AFTER && alone.length >= QUARANTINE_AFTER - ALONE_AFTER) return [];
  const message = `${job.action} is no culprit: its process ended under it ${cut.length} times, ${alone.length} of them alone`;
  return [{ rule: "g", category: "quarantined_wrongly", jobId: id, message }];
}
