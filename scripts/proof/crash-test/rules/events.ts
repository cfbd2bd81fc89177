/** Rule d: a success announces all events of its job, as its row keeps them, and nothing else is announced. */
import type { Evidence, ResultRow, Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";
import { expectedEvents, winningInput } from "./expected.ts";

/** d. The events that were announced are the events that the rows hold. */
export function eventsAreTheRows({ rows, of, stories }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const stored = new Map<string, { jobId: string; type: string; body: string }>();
  for (const { jobId, events: own } of rows.values())
    for (const { id, type, body } of own) stored.set(id, { jobId, type, body });
  const seen = new Set<string>();
  for (const { id, type, body, correlationId } of of("event")) {
    seen.add(id);
    const event = stored.get(id);
    if (!event) {
      const jobId = jobOf(body);
      const message = `event ${id} is in no row`;
      findings.push({ rule: "d", category: "double_effects", ...(jobId && { jobId }), message });
      continue;
    }
    const { jobId } = event;
    if (event.body !== body || event.type !== type)
      findings.push({
        rule: "d",
        category: "other",
        jobId,
        message: `event ${id} differs from its row`,
      });
    const copies = stories.get(jobId)?.copies ?? [];
    if (!copies.some((copy) => (copy.correlationId ?? jobId) === correlationId))
      findings.push({
        rule: "d",
        category: "misdirected",
        jobId,
        message: `event ${id} under the correlation id ${correlationId}`,
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

const jobOf = (body: string): string | undefined => {
  try {
    return JSON.parse(body).job;
  } catch {
    return undefined;
  }
};

/** d. A row holds what its job emitted, one after another; of a failure nothing. */
export function rowsHoldTheEvents({ stories }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of stories.values()) {
    const wrong = story.row && wrongEvents(story, story.row);
    if (wrong) findings.push({ rule: "d", category: "other", jobId: story.id, message: wrong });
  }
  return findings;
}

function wrongEvents(story: Story, row: ResultRow): string | undefined {
  const winner = winningInput(story);
  const copy = story.copies.find(({ job }) => JSON.stringify(job.input) === winner);
  if (!copy) return undefined;
  const expected = row.status === "succeeded" ? expectedEvents(copy.job) : 0;
  if (row.events.length !== expected)
    return `a ${row.status} row with ${row.events.length} events, ${expected} are right`;
  for (const [index, { body }] of row.events.entries()) {
    const event = JSON.parse(body);
    if (event.job !== story.id || event.index !== index || event.text !== copy.job.input.text)
      return `event ${index} says ${body.slice(0, 200)}`;
  }
  return undefined;
}
