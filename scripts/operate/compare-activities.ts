/**
 * `make compare-activities PLANE=rows.ndjson ENGINE=entries.ndjson`: while both run, whether the engine's entries are
 * Plane's. Exit status 1 where they differ, 2 where a file can't be read.
 */
import "../show/closed-pipe.ts";
import { printable } from "../show/terminal/printable.ts";
import { compare } from "./compare-activities/compare.ts";
import { BadFile, readEntries } from "./compare-activities/entries.ts";
import { differencesOf, reportLines } from "./compare-activities/report.ts";

const USAGE = `usage: make compare-activities PLANE=rows.ndjson ENGINE=entries.ndjson
PLANE is a row of issue_activities a line; ENGINE an event activity.recorded, or an output of record, a line.`;

async function main(): Promise<number> {
  const { PLANE = "", ENGINE = "" } = process.env;
  if (PLANE === "" || ENGINE === "") {
    console.error(USAGE);
    return 2;
  }
  const comparison = compare(await readEntries(PLANE), await readEntries(ENGINE));
  for (const line of reportLines(comparison)) console.log(printable(line));
  return differencesOf(comparison).length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof BadFile)) throw error;
  console.error(printable(error.message));
  process.exitCode = 2;
}
