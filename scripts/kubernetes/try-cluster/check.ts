/** Holds what came out against what went in: no code of the engines' runtime decides what is lost or doubled. */
import type { ResultRow } from "./results.ts";

/** Distinct texts under one id, with how often each came. */
type Texts = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface Evidence {
  /** Ids of the jobs that the broker confirmed. */
  ids: readonly string[];
  rows: readonly ResultRow[];
  /** Job id → distinct replies. */
  replies: Texts;
  /** Event id → distinct bodies. */
  events: Texts;
  /** Engines that subscribe to the events → an entry for each row that one has of an event. */
  consumed: ReadonlyMap<string, readonly string[]>;
}

export interface Verdict {
  /** Jobs without their result, reply or event, or whose event an engine did not take. */
  lost: number;
  /** Jobs with two results, or replies or events that differ. The same message twice is none: consumers know it by its id. */
  doubled: number;
  /** Jobs that ended without success. */
  failed: number;
  /** The first of each, for people. */
  examples: string[];
}

const EXAMPLES = 10;

export function check(evidence: Evidence): Verdict {
  const { ids, rows, replies, events, consumed } = evidence;
  const found = { lost: new Set<string>(), doubled: new Set<string>(), failed: new Set<string>() };
  const examples: string[] = [];
  const add = (fault: keyof typeof found, jobId: string, what: string) => {
    found[fault].add(jobId);
    if (examples.length < EXAMPLES) examples.push(`${fault}: ${jobId} ${what}`);
  };
  const rowsOf = Map.groupBy(rows, ({ jobId }) => jobId);
  const counts = new Map([...consumed].map(([engine, taken]) => [engine, countOf(taken)]));
  const announcedBy = new Map<string, string>();
  for (const id of ids) {
    const [row, second] = rowsOf.get(id) ?? [];
    if (!row) add("lost", id, "has no result");
    if (second) add("doubled", id, "has more than one result");
    if (row && row.status !== "succeeded") add("failed", id, `ended as ${row.status}`);
    const different = replies.get(id)?.size ?? 0;
    if (different === 0) add("lost", id, "got no reply");
    if (different > 1) add("doubled", id, `got ${different} replies that differ`);
    for (const eventId of row?.events ?? []) {
      const other = announcedBy.get(eventId);
      if (other !== undefined) add("doubled", id, `announced the event of ${other}`);
      announcedBy.set(eventId, id);
      const bodies = events.get(eventId)?.size ?? 0;
      if (bodies === 0) add("lost", id, `: its event ${eventId} never came`);
      if (bodies > 1) add("doubled", id, `: its event ${eventId} came in ${bodies} forms`);
      for (const [engine, taken] of counts) {
        const times = taken.get(eventId) ?? 0;
        if (times === 0) add("lost", id, `: ${engine} did not take its event ${eventId}`);
        if (times > 1) add("doubled", id, `: ${engine} took its event ${eventId} ${times} times`);
      }
    }
  }
  for (const eventId of events.keys())
    if (!announcedBy.has(eventId)) add("doubled", eventId, "is an event that no result announced");
  const { lost, doubled, failed } = found;
  return { lost: lost.size, doubled: doubled.size, failed: failed.size, examples };
}

function countOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}
