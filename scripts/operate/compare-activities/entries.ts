/** Reads activity entries, Plane's rows or the engine's, from NDJSON: one row, or one change with its `activities`, a line. */
import { open } from "node:fs/promises";
import { linesOf } from "@tl-engine/shared/process/lines";

/** What is compared: Plane's columns. */
export const COLUMNS = [
  "issue_id",
  "verb",
  "field",
  "old_value",
  "new_value",
  "old_identifier",
  "new_identifier",
  "issue_comment_id",
  "actor_id",
  "epoch",
] as const;
export type Column = (typeof COLUMNS)[number];

export interface Entry extends Record<Column, string | number | null> {
  issue_id: string;
  verb: string;
  epoch: number;
}

/** An entry, and the type of the change that made it, where the line tells it. */
export interface Found {
  entry: Entry;
  type: string | undefined;
}

/** What a file has wrong, with its line. */
export class BadFile extends Error {
  override readonly name = "BadFile";
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const camelCase = (column: string) =>
  column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** @throws {BadFile} naming the file and the line. */
export async function readEntries(file: string): Promise<Found[]> {
  const found: Found[] = [];
  let line = 0;
  try {
    await using handle = await open(file);
    for await (const text of linesOf(handle.createReadStream())) {
      line += 1;
      if (text.trim() !== "") found.push(...entriesOf(text));
    }
  } catch (error) {
    if (error instanceof BadFile) throw new BadFile(`${file}:${line}: ${error.message}`);
    throw new BadFile(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (found.length === 0) throw new BadFile(`${file}: has no entries, so nothing is compared`);
  return found;
}

function entriesOf(text: string): Found[] {
  let sent: unknown;
  try {
    sent = JSON.parse(text);
  } catch {
    throw new BadFile("is not JSON");
  }
  if (!isObject(sent)) throw new BadFile("must be an object: a row, or a change with activities");
  const type = typeof sent.type === "string" ? sent.type : undefined;
  // An event's body, a job's output, or a reply around it.
  const output = isObject(sent.output) ? sent.output : sent;
  if (output.activities === undefined) return [{ entry: entryOf(sent, ""), type }];
  if (!Array.isArray(output.activities)) throw new BadFile("activities must be a list");
  return output.activities.map((activity, index) => ({
    entry: entryOf(activity, `activities[${index}].`),
    type,
  }));
}

function entryOf(sent: unknown, path: string): Entry {
  if (!isObject(sent)) throw new BadFile(`${path.slice(0, -1)} must be an object`);
  const values = COLUMNS.map((column) => {
    const value = sent[column] ?? sent[camelCase(column)] ?? null;
    if (column === "epoch") {
      if (typeof value === "number" && Number.isFinite(value)) return [column, value];
      throw new BadFile(`${path}epoch must be a number of seconds`);
    }
    if (typeof value === "string") return [column, value];
    if (value === null && column !== "issue_id" && column !== "verb") return [column, null];
    throw new BadFile(`${path}${column} must be a text`);
  });
  return Object.fromEntries(values);
}
