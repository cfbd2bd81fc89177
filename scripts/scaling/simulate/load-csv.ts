/** A load of one's own from a CSV file: seconds, and how many jobs were published from then on. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { BadInput } from "./bad-input.ts";
import { type Load, millions } from "./loads.ts";

/** Longest load: a month. */
const MOST_SECONDS = 31 * 86_400;
const MOST_JOBS = 1e12;

interface Row {
  fromS: number;
  /** One figure for each column after the first. */
  jobs: number[];
}

/**
 * Reads `seconds,jobs`, or `seconds,<engine>,<engine>…`: each row has the second it begins at (from 0,
 * rising, whole) and the jobs published from then until the next row begins, for the whole fleet or for
 * each engine. The last row lasts as long as the one before it. Throws BadInput with file, line and column.
 */
export function loadFromCsv(file: string, engines: readonly string[], text = readText(file)): Load {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  while (lines.at(-1)?.trim() === "") lines.pop();
  const columns = readHeader(file, lines[0] ?? "", engines);
  const rows: Row[] = [];
  for (const [index, line] of lines.slice(1).entries())
    rows.push(readRow(file, index + 2, line, columns, rows.at(-1)));
  const [last, before] = [rows.at(-1), rows.at(-2)];
  if (!last || !before)
    throw new BadInput(
      `${file}: at least two rows under the header are needed, to tell how long one lasts`,
    );
  const durationS = last.fromS + (last.fromS - before.fromS);
  if (durationS > MOST_SECONDS)
    throw new BadInput(
      `${file}:${lines.length}:1: the load lasts ${durationS} s, and ${MOST_SECONDS} (31 days) are the most`,
    );
  const total = rows.reduce((sum, { jobs }) => sum + jobs.reduce((a, b) => a + b, 0), 0);
  return {
    name: basename(file),
    title: `${millions(total)} jobs as in ${basename(file)}`,
    durationS,
    clockS: 0,
    rate: rateOf(rows, columns, durationS),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new BadInput(`LOAD: ${file} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readHeader(file: string, line: string, engines: readonly string[]): string[] {
  const cells = line.split(",").map((cell) => cell.trim());
  if (cells[0] !== "seconds" || cells.length < 2)
    throw new BadInput(
      `${file}:1:1: the first line must be "seconds,jobs" or "seconds," and names of engines, not ${JSON.stringify(line)}`,
    );
  const columns = cells.slice(1);
  for (const [index, name] of columns.entries()) {
    const at = `${file}:1:${columnAt(line, index + 1)}`;
    if (name === "jobs" && columns.length === 1) continue;
    if (!engines.includes(name))
      throw new BadInput(
        `${at}: ${JSON.stringify(name)} is no engine; there are ${engines.join(", ")}`,
      );
    if (columns.indexOf(name) !== index)
      throw new BadInput(`${at}: ${JSON.stringify(name)} stands here twice`);
  }
  return columns;
}

/** Where a cell begins in its line, from 1. */
const columnAt = (line: string, cell: number) =>
  line.split(",").slice(0, cell).join(",").length + (cell > 0 ? 2 : 1);

function readRow(
  file: string,
  lineNumber: number,
  line: string,
  columns: readonly string[],
  before: Row | undefined,
): Row {
  const cells = line.split(",");
  const fail = (cell: number, what: string): never => {
    throw new BadInput(`${file}:${lineNumber}:${columnAt(line, cell)}: ${what}`);
  };
  if (cells.length !== columns.length + 1)
    fail(
      0,
      `${columns.length + 1} cells are needed (seconds,${columns.join(",")}), not ${cells.length}: ${JSON.stringify(line)}`,
    );
  const numbers = cells.map((cell, index) => {
    const text = cell.trim();
    const value = Number(text);
    return /^\d+(\.\d+)?$/.test(text) && value <= MOST_JOBS
      ? value
      : fail(index, `${JSON.stringify(text)} is no number from 0 to ${MOST_JOBS}`);
  });
  const [fromS = 0, ...jobs] = numbers;
  if (!Number.isInteger(fromS)) fail(0, `seconds must be whole, not ${fromS}`);
  if (before === undefined && fromS !== 0)
    fail(0, `the first row begins at second 0, not ${fromS}`);
  if (before !== undefined && fromS <= before.fromS)
    fail(0, `seconds must rise, and ${fromS} comes after ${before.fromS}`);
  return { fromS, jobs };
}

function rateOf(rows: readonly Row[], columns: readonly string[], durationS: number): Load["rate"] {
  const column = new Map(columns.map((name, index) => [name, index]));
  // Asked second by second: the row of a moment is the last one asked for, or the next.
  let at = 0;
  return ({ name, share }, atS) => {
    if (atS < (rows[at] as Row).fromS) at = 0;
    while (at + 1 < rows.length && (rows[at + 1] as Row).fromS <= atS) at++;
    const { fromS, jobs } = rows[at] as Row;
    const perS = 1 / ((rows[at + 1]?.fromS ?? durationS) - fromS);
    const whole = column.get("jobs");
    if (whole !== undefined) return share * (jobs[whole] as number) * perS;
    const own = column.get(name);
    return own === undefined ? 0 : (jobs[own] as number) * perS;
  };
}
