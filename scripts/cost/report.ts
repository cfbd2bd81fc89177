/** The bill as a person reads it, and its last line. */
import { type Column, renderTable } from "../show/terminal/table.ts";
import { type Bill, type Part, usd } from "./bill.ts";
import { firstFull } from "./misfits.ts";
import { DAYS_A_MONTH, HOURS_A_MONTH } from "./usage.ts";

const right = (title: string): Column => ({ title, align: "right" });
const left = (title: string): Column => ({ title, align: "left" });

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

export function describeBill(bill: Bill, toConfirm: number): string[] {
  const { expected, worst, unguarded } = bill.months;
  const jobs = (month: typeof expected) =>
    whole(month.engines.reduce((sum, usage) => sum + usage.jobs, 0) / 1e6);
  return [
    `A month (${HOURS_A_MONTH} h) of ${bill.environment}: expected with ${whole(bill.jobsPerDay)} jobs a day, worst with every replica busy all month. ${quotaSentence(bill)}`,
    "",
    ...renderTable(
      [left("what"), right("expected"), right("worst"), right("no guard"), left("what bounds it")],
      [
        ...bill.lines.map((line) => [
          line.what,
          usd(line.expectedUsd),
          usd(line.worstUsd),
          usd(line.unguardedUsd),
          line.guard,
        ]),
        ["all", usd(bill.expectedUsd), usd(bill.worstUsd), usd(bill.unguardedUsd), ""],
      ],
    ),
    "",
    ...renderTable(
      [left("engine"), right("jobs a month"), right("expected"), right("worst")],
      bill.engines.map(({ engine, jobs, expectedUsd, worstUsd }) => [
        engine,
        engine === "shared" ? "" : whole(jobs),
        usd(expectedUsd),
        usd(worstUsd),
      ]),
    ),
    "",
    ...renderTable(
      [
        left("budget"),
        right("expected"),
        right("worst"),
        right("budget"),
        right("headroom"),
        left("the seed's"),
      ],
      bill.parts.map(budgetRow),
    ),
    "",
    `Jobs a month: ${jobs(expected)} M expected, ${jobs(worst)} M at worst, ${jobs(unguarded)} M if the storage quota were not there.`,
    ...(toConfirm > 0
      ? [
          `${toConfirm} figures of manifests/prices.yaml say \`confirm\`: look them up at the provider first.`,
        ]
      : []),
    ...bill.misfits.map(({ warning }) => `warning: ${warning}`),
    ...bill.excesses.map((excess) => `over budget: ${excess}`),
  ];
}

/** In the headline: a bill within its budget may be one of a fleet that stands still. */
function quotaSentence({ misfits }: Bill): string {
  const full = firstFull(misfits);
  if (!full) return "No quota is full within a year.";
  const { quota, fullAfterMonths: months, comesTo } = full;
  const when =
    months < 1 ? `on day ${Math.ceil(months * DAYS_A_MONTH)}` : `after ${months.toFixed(1)} months`;
  const end = comesTo ? ` (its retention comes to ${comesTo})` : "";
  return `At that load ${quota} are full ${when}${end}.`;
}

const budgetRow = ({ part, expectedUsd, worstUsd, budgetUsd, seedUsd: [from, to] }: Part) => [
  part,
  usd(expectedUsd),
  usd(worstUsd),
  usd(budgetUsd),
  usd(budgetUsd - worstUsd),
  `$${from}–${to}${worstUsd > to ? `, passed by ${usd(worstUsd - to)} at worst` : ""}`,
];

export function lastLine(bill: Bill): string {
  const full = firstFull(bill.misfits);
  const figures = {
    env: bill.environment,
    expected_usd: bill.expectedUsd.toFixed(2),
    worst_usd: bill.worstUsd.toFixed(2),
    budget_usd: bill.budgetUsd.toFixed(2),
    quota_full_months: full ? full.fullAfterMonths.toFixed(1) : "none",
    within: bill.excesses.length === 0 ? "yes" : "no",
  };
  return `cost: ${Object.entries(figures)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ")}`;
}
