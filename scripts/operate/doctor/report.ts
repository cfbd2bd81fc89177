/** How a diagnosis is told: a table with cause and next command below it for people, JSON for programs. */
import { type Paint, painter } from "../../show/terminal/paint.ts";
import { printable } from "../../show/terminal/printable.ts";
import { renderTable } from "../../show/terminal/table.ts";
import type { Finding } from "./check.ts";
import type { Diagnosis } from "./diagnose.ts";
import type { Result } from "./run-part.ts";

/** Raised when a field changes its meaning or goes. */
const JSON_VERSION = 1;

const STYLES = {
  ok: "green",
  skipped: "dim",
  warning: "cyan",
  failure: "red",
} as const satisfies Record<Finding["level"], string>;

const COLUMNS = ["check", "result", "found"].map((title) => ({ title, align: "left" as const }));

/** @param color whether a terminal shows it. */
export function linesOf({ results, counts, seconds }: Diagnosis, color: boolean): string[] {
  const paint = painter(color);
  const [title = "", rule = "", ...rows] = renderTable(
    COLUMNS,
    results.map(({ check, level, found }) => [check, level, found]),
  );
  return [
    title,
    rule,
    ...rows.map((row, index) => paint(STYLES[results[index]?.level ?? "ok"], row)),
    ...details(results, "warning", paint),
    ...details(results, "failure", paint),
    "",
    `test-connections: ok=${counts.ok} warnings=${counts.warning} failures=${counts.failure} skipped=${counts.skipped} seconds=${seconds.toFixed(1)}`,
  ];
}

function details(results: Result[], level: "warning" | "failure", paint: Paint): string[] {
  return results.flatMap((result) => {
    if (result.level !== level) return [];
    const { check, found, cause, next } = result;
    return [
      "",
      paint(STYLES[level], `${level}: ${printable(`${check}: ${found}`)}`),
      `  cause  ${printable(cause)}`,
      `  next   ${printable(next)}`,
    ];
  });
}

export const statusOf = ({ counts }: Diagnosis) => (counts.failure > 0 ? "failure" : "ok");

export const jsonOf = (diagnosis: Diagnosis): string =>
  JSON.stringify(
    {
      version: JSON_VERSION,
      status: statusOf(diagnosis),
      counts: diagnosis.counts,
      seconds: Number(diagnosis.seconds.toFixed(3)),
      checks: diagnosis.results.map(({ looksAt, ms, ...rest }) => ({
        ...spelt(rest),
        looks_at: looksAt,
        ms: Math.round(ms),
      })),
    },
    undefined,
    2,
  );

/** Servers' own words may end on a terminal from here, too. */
const spelt = (texts: Record<string, string>) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, printable(text)]));

/** Nothing was looked at: the environment or the options are wrong. */
export const jsonOfMisconfigured = (message: string): string =>
  JSON.stringify({ version: JSON_VERSION, status: "misconfigured", message }, undefined, 2);
