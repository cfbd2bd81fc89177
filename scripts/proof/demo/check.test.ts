import { expect, test } from "vitest";
import { checkJobs, type Evidence, Findings } from "./check.ts";
import { generateHistory } from "./generator.ts";
import { planJobs } from "./plan.ts";
import type { Row } from "./rows.ts";

/** A run in which all went well: each job's output is its own id, and each has one event. */
function goodRun() {
  const { jobs } = planJobs(generateHistory({ seed: "check", months: 1 }), {
    runId: "r",
    seed: "s",
  });
  const row = (jobId: string, events: Row["events"]): Row => ({
    jobId,
    status: "succeeded",
    code: null,
    reply: JSON.stringify({ status: "succeeded", output: { activities: [jobId] } }),
    events,
    attempt: 1,
    startedAtMs: 0,
    finishedAtMs: 1,
  });
  const event = (jobId: string) => ({
    id: `${jobId}/0`,
    type: "activity.recorded",
    body: `{"of":"${jobId}"}`,
  });
  const rows = jobs.map(({ id }) => row(id, [event(id)]));
  const seen = {
    replies: new Map(
      rows.map(({ jobId, reply }) => [jobId, new Map([[`reply-${jobId} ${reply}`, 1]])]),
    ),
    events: new Map(
      rows.flatMap(({ events }) => events.map(({ id, body }) => [id, new Map([[body, 2]])])),
    ),
  };
  const eventRows = jobs.map(({ id }) => row(event(id).id, []));
  const evidence: Evidence = {
    jobs,
    rows,
    eventRows,
    seen,
    expected: ({ id }) => ({ activities: [id] }),
  };
  return { ...evidence, seen, first: jobs[0]?.id ?? "" };
}

function faults(run: Evidence) {
  const findings = new Findings();
  const totals = checkJobs(run, findings);
  return { ...findings.counts, totals, findings };
}

test("a good run has no finding, also when copies came", () => {
  const run = goodRun();
  const { findings, totals } = faults(run);
  expect(findings.clean).toBe(true);
  expect(totals).toEqual({
    results: run.jobs.length,
    replies: run.jobs.length,
    events: run.jobs.length,
  });
});

test.each<[string, (run: ReturnType<typeof goodRun>) => void, "lost" | "doubled" | "different"]>([
  ["a result is missing", (run) => run.rows.shift(), "lost"],
  ["a result is there twice", (run) => run.rows.push(...run.rows.slice(0, 1)), "doubled"],
  [
    "a job failed",
    (run) => Object.assign(run.rows[0] ?? {}, { status: "failed", code: "rejected" }),
    "different",
  ],
  [
    "an output differs",
    (run) => Object.assign(run, { expected: () => ({ activities: [] }) }),
    "different",
  ],
  ["a reply is missing", (run) => run.seen.replies.delete(run.first), "lost"],
  [
    "a second reply differs",
    (run) => run.seen.replies.get(run.first)?.set("reply other", 1),
    "doubled",
  ],
  [
    "a reply is not the stored one",
    (run) => run.seen.replies.set(run.first, new Map([["r {}", 1]])),
    "different",
  ],
  [
    "a reply belongs to no job",
    (run) => run.seen.replies.set("other", new Map([["r {}", 1]])),
    "doubled",
  ],
  ["an event is missing", (run) => run.seen.events.delete(`${run.first}/0`), "lost"],
  [
    "an event came in two shapes",
    (run) => run.seen.events.get(`${run.first}/0`)?.set("{}", 1),
    "doubled",
  ],
  [
    "an event is not the stored one",
    (run) => run.seen.events.set(`${run.first}/0`, new Map([["{}", 1]])),
    "different",
  ],
  [
    "an event is stored nowhere",
    (run) => run.seen.events.set("other", new Map([["{}", 1]])),
    "doubled",
  ],
  ["a result has no event", (run) => Object.assign(run.rows[0] ?? {}, { events: [] }), "lost"],
  ["analytics missed an event", (run) => run.eventRows.shift(), "lost"],
  [
    "analytics failed on an event",
    (run) => Object.assign(run.eventRows[0] ?? {}, { status: "failed" }),
    "different",
  ],
])("it sees when %s", (_, spoil, fault) => {
  const run = goodRun();
  spoil(run);
  expect(faults(run)[fault]).toBeGreaterThan(0);
});
