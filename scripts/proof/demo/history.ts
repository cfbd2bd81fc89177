/** The history of a tracker: its format (one issue a line, NDJSON, optionally gzipped), checked as it is read. */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { linesOf } from "@tl-engine/shared/process/lines";
import { z } from "zod";

const Text = z.string().max(1_000);
const Instant = z.iso.datetime({ message: "must be a UTC time such as 2011-03-04T10:20:30.000Z" });

const Change = z.object({
  at: Instant,
  /** Null where the tracker no longer knows. */
  by: Text.min(1).nullable(),
  items: z
    .array(
      z.object({
        /** status, resolution, priority, assignee, type, parent, duedate, fixVersion, component, … */
        field: Text.min(1),
        from: Text.nullable(),
        to: Text.nullable(),
      }),
    )
    .max(1_000),
});

const Issue = z.object({
  key: Text.min(1),
  project: Text.min(1),
  /** The type and the priority after the last change. */
  type: Text,
  priority: Text,
  createdAt: Instant,
  createdBy: Text.min(1).nullable(),
  firstStatus: Text.min(1),
  lastStatus: Text.min(1),
  /** By time, oldest first. */
  changes: z.array(Change).max(100_000),
});

export type Issue = z.output<typeof Issue>;
export type ChangeSet = z.output<typeof Change>;
export type FieldChange = ChangeSet["items"][number];

/** A history that can't be used; the message names the file, the line, and the path in it. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
  /** From 1; undefined where the file could not be read at all. */
  readonly line: number | undefined;
  constructor(source: string, line: number | undefined, what: string, options?: ErrorOptions) {
    super(`${source}${line === undefined ? "" : `, line ${line}`}: ${what}`, options);
    this.line = line;
  }
}

/** Reads a whole history; `.gz` is unpacked. Throws {@link HistoryError}, for a bad line at the first one. */
export async function readHistory(path: string): Promise<Issue[]> {
  const file = createReadStream(path);
  try {
    if (!path.endsWith(".gz")) return await parseHistory(file, path);
    // pipe() does not carry errors on: a missing file would hang the reader.
    const gunzip = createGunzip();
    file.once("error", (error) => gunzip.destroy(error));
    return await parseHistory(file.pipe(gunzip), path);
  } catch (cause) {
    if (cause instanceof HistoryError) throw cause;
    throw new HistoryError(path, undefined, (cause as Error).message, { cause });
  } finally {
    file.destroy();
  }
}

/** Parses NDJSON from a stream; `source` names it in errors. Empty lines are skipped. */
export async function parseHistory(stream: Readable, source: string): Promise<Issue[]> {
  const issues: Issue[] = [];
  const lineOfKey = new Map<string, number>();
  const failed = new Promise<never>((_, reject) => stream.once("error", reject));
  failed.catch(() => {}); // awaited below only while lines are being read
  const lines = linesOf(stream);
  for (let line = 1; ; line++) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done) break;
    if (next.value.trim() === "") continue;
    const issue = parseLine(next.value, source, line);
    const earlier = lineOfKey.get(issue.key);
    if (earlier !== undefined)
      throw new HistoryError(source, line, `key ${issue.key} was already on line ${earlier}`);
    lineOfKey.set(issue.key, line);
    issues.push(issue);
  }
  if (issues.length === 0) throw new HistoryError(source, 1, "the file holds no issue");
  return issues;
}

function parseLine(text: string, source: string, line: number): Issue {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new HistoryError(source, line, `not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = Issue.safeParse(json);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    throw new HistoryError(source, line, `${first?.path.join(".") || "(line)"}: ${first?.message}`);
  }
  const wrong = inconsistency(parsed.data);
  if (wrong) throw new HistoryError(source, line, wrong);
  return parsed.data;
}

/** What no schema can say: changes are in order of time, and the statuses form one chain. */
function inconsistency(issue: Issue): string | undefined {
  let previous = Date.parse(issue.createdAt);
  let status: string | null = issue.firstStatus;
  for (const [index, change] of issue.changes.entries()) {
    const at = Date.parse(change.at);
    if (at < previous) return `changes.${index}.at: is earlier than what comes before it`;
    previous = at;
    for (const item of change.items) {
      if (item.field !== "status") continue;
      if (item.from !== status)
        return `changes.${index}: status changes from ${item.from}, but it was ${status}`;
      status = item.to;
    }
  }
  if (status !== issue.lastStatus)
    return `lastStatus: is ${issue.lastStatus}, but it ends ${status}`;
  return undefined;
}
