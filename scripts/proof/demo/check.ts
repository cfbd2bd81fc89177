/**
 * The independent check of a run: what the caller saw and what Postgres holds against what one pass
 * without the fleet gives. It shares no code with the engines' runtime.
 */
import { isDeepStrictEqual } from "node:util";
import type { Observer } from "./observe.ts";
import type { PlannedJob } from "./plan.ts";
import type { Row } from "./rows.ts";

export type Fault = "lost" | "doubled" | "different";

/** What was found wrong; every fault is counted, and the first of them are kept to be shown. */
export class Findings {
  readonly counts: Record<Fault, number> = { lost: 0, doubled: 0, different: 0 };
  readonly examples: string[] = [];

  add(fault: Fault, what: string): void {
    this.counts[fault]++;
    if (this.examples.length < 20) this.examples.push(`${fault}: ${what}`);
  }

  get clean(): boolean {
    return Object.values(this.counts).every((count) => count === 0);
  }
}

export interface Evidence {
  jobs: PlannedJob[];
  /** Results of `activities`. */
  rows: Row[];
  /** Results of `analytics` for the events. */
  eventRows: Row[];
  seen: Pick<Observer, "replies" | "events">;
  /** The output of one pass without the fleet. */
  expected(job: PlannedJob): unknown;
}

export interface Totals {
  /** Jobs with exactly one result. */
  results: number;
  /** Jobs with exactly one distinct reply, however often it came. */
  replies: number;
  /** Distinct events that arrived. */
  events: number;
}

export function checkJobs(evidence: Evidence, findings: Findings): Totals {
  const { jobs, rows, seen } = evidence;
  const rowsOf = Map.groupBy(rows, (row) => row.jobId);
  const totals: Totals = { results: 0, replies: 0, events: seen.events.size };
  for (const job of jobs) {
    const [row, second] = rowsOf.get(job.id) ?? [];
    if (!row) findings.add("lost", `${job.id} has no result`);
    else if (second) findings.add("doubled", `${job.id} has more than one result`);
    else totals.results++;
    if (checkReply(job.id, row, seen, findings)) totals.replies++;
    if (row) checkOutput(job, row, evidence, findings);
  }
  const known = new Set(jobs.map((job) => job.id));
  for (const jobId of seen.replies.keys())
    if (!known.has(jobId)) findings.add("doubled", `a reply came for the unknown job ${jobId}`);
  checkEvents(evidence, findings);
  return totals;
}

function checkReply(
  jobId: string,
  row: Row | undefined,
  { replies }: Evidence["seen"],
  findings: Findings,
): boolean {
  const [reply, ...others] = replies.get(jobId)?.keys() ?? [];
  if (reply === undefined) findings.add("lost", `${jobId} got no reply`);
  else if (others.length > 0)
    findings.add("doubled", `${jobId} got ${others.length + 1} replies that differ`);
  else {
    const body = reply.slice(reply.indexOf(" ") + 1);
    if (row && body !== row.reply)
      findings.add("different", `the reply to ${jobId} is not the stored one`);
    return true;
  }
  return false;
}

function checkOutput(job: PlannedJob, row: Row, evidence: Evidence, findings: Findings): void {
  if (row.status !== "succeeded") {
    findings.add("different", `${job.id} failed as ${row.code}: ${row.reply.slice(0, 300)}`);
    return;
  }
  const { output } = JSON.parse(row.reply) as { output: { activities: unknown[] } };
  // As JSON, or a key that is undefined would make a difference that no caller can see.
  const expected: unknown = JSON.parse(JSON.stringify(evidence.expected(job)));
  if (!isDeepStrictEqual(output, expected))
    findings.add(
      "different",
      `the activities of ${job.id} are not those of a pass without the fleet`,
    );
  // A change set that changes nothing is announced to nobody.
  const announced = output.activities.length > 0 ? 1 : 0;
  if (row.events.length !== announced)
    findings.add(
      row.events.length < announced ? "lost" : "doubled",
      `${job.id} announced ${row.events.length} events, not ${announced}`,
    );
}

/** The events that arrived are the events that are stored, and `analytics` took each of them in once. */
function checkEvents({ rows, eventRows, seen }: Evidence, findings: Findings): void {
  const stored = new Map<string, string>();
  for (const event of rows.flatMap((row) => row.events)) {
    if (stored.has(event.id)) findings.add("doubled", `event ${event.id} is stored twice`);
    stored.set(event.id, event.body);
  }
  for (const [id, body] of stored) {
    const bodies = seen.events.get(id);
    if (!bodies) findings.add("lost", `event ${id} never came`);
    else if (bodies.size > 1) findings.add("doubled", `event ${id} came with several bodies`);
    else if (!bodies.has(body)) findings.add("different", `event ${id} is not the stored one`);
  }
  for (const id of seen.events.keys())
    if (!stored.has(id)) findings.add("doubled", `event ${id} came and is not stored`);
  const taken = Map.groupBy(eventRows, (row) => row.jobId);
  for (const id of stored.keys()) {
    const [row, second] = taken.get(id) ?? [];
    if (!row) findings.add("lost", `analytics has no result for event ${id}`);
    else if (second) findings.add("doubled", `analytics has several results for event ${id}`);
    else if (row.status !== "succeeded")
      findings.add("different", `analytics failed on event ${id} as ${row.code}`);
  }
}
