/** Ticks that people think in: calendar days, and durations on a logarithmic axis. */
import type { Tick } from "@tl-engine/shared/charts/scales";
import { addDays, daysBetween } from "../days.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "14 Mar 2014". */
export function formatDate(date: string): string {
  const [year, month, day] = date.split("-").map(Number) as [number, number, number];
  return `${day} ${MONTHS[month - 1]} ${year}`;
}

/** Ticks for the days from `first` on: days, weeks, months, quarters or years, about `count` of them. */
export function dayTicks(first: string, days: number, count = 9): Tick[] {
  const last = addDays(first, Math.max(days - 1, 0));
  if (days <= 12 * count) {
    const step = days <= count ? 1 : 7 * Math.ceil(days / 7 / count);
    // Weeks begin on Monday.
    const offset = step === 1 ? 0 : (8 - new Date(`${first}T00:00:00Z`).getUTCDay()) % 7;
    const ticks: Tick[] = [];
    for (let at = offset; at < days; at += step) {
      const date = addDays(first, at);
      ticks.push({ at, label: formatDate(date).split(" ").slice(0, 2).join(" ") });
    }
    return ticks;
  }
  const months = days / 30.44;
  const step =
    [1, 2, 3, 6, 12, 24, 60, 120].find((candidate) => months / candidate <= count) ?? 240;
  const ticks: Tick[] = [];
  let [year, month] = first.split("-").map(Number) as [number, number];
  month -= 1;
  for (;;) {
    const date = `${String(year).padStart(4, "0")}-${String(month + 1).padStart(2, "0")}-01`;
    if (date > last) return ticks;
    if ((year * 12 + month) % step === 0 && date >= first) {
      const label =
        step >= 12
          ? String(year)
          : month === 0 || ticks.length === 0
            ? `${MONTHS[month]} ${year}`
            : (MONTHS[month] as string);
      ticks.push({ at: daysBetween(first, date), label });
    }
    month++;
    if (month === 12) {
      month = 0;
      year++;
    }
  }
}

const HOUR = 1 / 24;
/** Steps that people think in, in days. */
const DURATIONS: Tick[] = [
  { at: HOUR / 4, label: "15 min" },
  { at: HOUR, label: "1 hour" },
  { at: 4 * HOUR, label: "4 hours" },
  { at: 1, label: "1 day" },
  { at: 3, label: "3 days" },
  { at: 7, label: "1 week" },
  { at: 30.44, label: "1 month" },
  { at: 91.3, label: "3 months" },
  { at: 365.25, label: "1 year" },
  { at: 1_096, label: "3 years" },
  { at: 3_652.5, label: "10 years" },
];

/** Ticks of a logarithmic axis of durations that holds the given range (in days). */
export function durationTicks(minDays: number, maxDays: number): Tick[] {
  const first = DURATIONS.findLastIndex(({ at }) => at <= minDays);
  const last = DURATIONS.findIndex(({ at }) => at >= maxDays);
  const ticks = DURATIONS.slice(Math.max(first, 0), last < 0 ? DURATIONS.length : last + 1);
  return ticks.length > 1
    ? ticks
    : DURATIONS.slice(Math.max(first - 1, 0), Math.max(first - 1, 0) + 2);
}

/** "3 days", "5.5 hours", "8 months". */
export function formatDuration(days: number): string {
  const units: [number, string][] = [
    [365.25 * 2, "year"],
    [61, "month"],
    [1, "day"],
    [HOUR, "hour"],
    [0, "minute"],
  ];
  const [threshold, unit] = units.find(([least]) => days >= least) as [number, string];
  const size = { year: 365.25, month: 30.44, day: 1, hour: HOUR, minute: HOUR / 60 }[
    unit
  ] as number;
  const value = days / size;
  const rounded = value < 10 && threshold > 0 ? Math.round(value * 10) / 10 : Math.round(value);
  return `${rounded} ${unit}${rounded === 1 ? "" : "s"}`;
}
