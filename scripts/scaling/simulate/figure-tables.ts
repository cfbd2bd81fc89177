/** The tables of docs/infra/capacidad.md, from the same figures as its pictures. */
import type { Growth } from "./figure-growth.ts";
import { inSpanish } from "./figure-limits.ts";
import type { Limit } from "./limits.ts";
import { duration } from "./report.ts";

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
export const markdownTable = (head: readonly string[], rows: readonly string[][]) =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");

const dollars = (value: number) =>
  `$${value.toLocaleString("es-ES", {
    useGrouping: "always",
    minimumFractionDigits: value < 100 ? 2 : 0,
    maximumFractionDigits: value < 100 ? 2 : 0,
  })}`;

export const growthTable = (growth: readonly Growth[]) =>
  markdownTable(
    [
      "trabajos en un día medio",
      "pods al mes",
      "Redis al mes",
      "disco de Postgres al mes",
      "pods a la vez",
      "espera p95 / p99",
    ],
    growth.map((it) => [
      inSpanish(it.jobsPerDay),
      dollars(it.podsUsd),
      dollars(it.redisUsd),
      dollars(it.storageUsd),
      String(it.maxPods),
      `${duration(it.p95S)} / ${duration(it.p99S)}`.replaceAll(".", ","),
    ]),
  );

export const limitsTable = (limits: readonly Limit[]) =>
  markdownTable(
    ["límite", "se llega con", "de dónde sale", "qué hacer entonces"],
    limits.map(({ what, jobsPerDay, because, remedy }) => [
      what,
      `${inSpanish(jobsPerDay)} al día`,
      because,
      remedy,
    ]),
  );

/** The page with the table between `<!-- name -->` and `<!-- /name -->`. Throws where it has no such place. */
export function withTable(page: string, name: string, table: string): string {
  const place = new RegExp(`(<!-- ${name} -->\n\n)[\\s\\S]*?(\n\n<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`the page has no place for the table ${name}`);
  return page.replace(place, (_, open: string, close: string) => open + table + close);
}
