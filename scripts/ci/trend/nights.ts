/** A night's figures, and how they stand beside those of the nights before. */
import { median } from "../../show/statistics.ts";

export interface Night {
  at: string;
  commit: string;
  /** Where it ran: figures of another machine are another series. */
  cpu: string;
  /** Of the last lines of `make bench` and `make crash-test`; without the part that did not come to its end. */
  bench?: Record<string, number>;
  crashTest?: Record<string, number>;
}

/** Nights that a median is taken of. */
const NIGHTS = 14;
/** Fewer say too little to call anything worse. */
const ENOUGH_NIGHTS = 5;
/** A shared machine's noise lies below it: docs/meta/rendimiento.md. */
const WORSE_BY = 0.2;
/** Jobs per second by a peer's; all other figures are better when they are lower. */
const HIGHER_IS_BETTER = /^(raw|naive|bullmq|celery)_ratio$/;

/** The figures of the last line `name: a=1 b=2.5 c=n/a`; undefined where there is no such line. */
export function figuresOf(name: string, output: string): Record<string, number> | undefined {
  const line = output.split("\n").findLast((each) => each.startsWith(`${name}: `));
  if (line === undefined) return undefined;
  const pairs = [...line.matchAll(/(\w+)=(-?\d+(?:\.\d+)?)(?=\s|$)/g)];
  return Object.fromEntries(pairs.map(([, key = "", value]) => [key, Number(value)]));
}

/** NDJSON of a file; a line that is none is left out, so that one bad night does not end all others. */
export function parseNights(text: string): Night[] {
  return text.split("\n").flatMap((line) => {
    try {
      const night: unknown = JSON.parse(line);
      return typeof night === "object" && night !== null ? [night as Night] : [];
    } catch {
      return [];
    }
  });
}

export interface Comparison {
  figure: string;
  now: number;
  /** Median of the nights before on this kind of machine; NaN where there were none. */
  before: number;
  worse: boolean;
}

/** Each figure of tonight's bench beside the nights before. */
export function compare(tonight: Night, before: readonly Night[]): Comparison[] {
  const alike = before.filter(({ cpu, bench }) => cpu === tonight.cpu && bench).slice(-NIGHTS);
  return Object.entries(tonight.bench ?? {}).map(([figure, now]) => {
    const values = alike.flatMap(({ bench }) => bench?.[figure] ?? []);
    const usual = median(values);
    const change = (HIGHER_IS_BETTER.test(figure) ? usual - now : now - usual) / usual;
    const worse = values.length >= ENOUGH_NIGHTS && change > WORSE_BY;
    return { figure, now, before: usual, worse };
  });
}

/** The summary of a night, in Markdown. */
export function describeNight(tonight: Night, comparisons: readonly Comparison[]): string {
  const crash = Object.entries(tonight.crashTest ?? {}).map(([key, value]) => `${key}=${value}`);
  const rows = comparisons.map(({ figure, now, before, worse }) => {
    const usual = Number.isNaN(before) ? "–" : String(Math.round(before * 100) / 100);
    return `| ${figure} | ${now} | ${usual} | ${worse ? "worse" : ""} |`;
  });
  return [
    `Crash test: ${crash.length > 0 ? crash.join(" ") : "did not come to its end"}`,
    "",
    ...(rows.length > 0
      ? [`| figure | tonight | median of ${NIGHTS} | |`, "|---|---|---|---|", ...rows]
      : ["Bench: did not come to its end"]),
  ].join("\n");
}
