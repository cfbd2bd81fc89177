/** What a business calendar is: when a clock of working time goes. */
import { z } from "zod";

export const CALENDAR_CEILINGS = {
  periods: 100,
  /** With the years that are compiled it bounds the intervals of a calendar. */
  periodsPerDay: 6,
  holidays: 2_000,
} as const;

export const DAYS = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;

const TIME = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/;
const Time = z
  .string()
  .regex(TIME, { error: "must be a time as 09:00, to the minute; 24:00 is the end of the day" });

/** Minutes since the local midnight. */
export const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

const Period = z
  .object({
    days: z.array(z.enum(DAYS)).min(1).max(7).describe("The days of the week on which it is."),
    from: Time.default("00:00").describe("When work begins, local time."),
    to: Time.default("24:00").describe("When it ends: later the same day."),
  })
  .refine(({ from, to }) => minuteOf(from) < minuteOf(to), {
    path: ["to"],
    error: "must be later than `from`; a night's shift is two periods",
  })
  .meta({ title: "Period", description: "A part of the week that is worked." });

export const BusinessCalendar = z
  .object({
    timeZone: z
      .string()
      .max(60)
      .default("UTC")
      .refine(isTimeZone, { error: "must be a time zone of the IANA database, as Europe/Madrid" })
      .describe("In which its times are, an IANA name."),
    periods: z
      .array(Period)
      .min(1, { error: "must name at least one: without working time no clock would ever go" })
      .max(CALENDAR_CEILINGS.periods)
      .refine((periods) => mostOnOneDay(periods) <= CALENDAR_CEILINGS.periodsPerDay, {
        error: `at most ${CALENDAR_CEILINGS.periodsPerDay} periods on one day of the week`,
      })
      .describe(
        `When there is work, in at most ${CALENDAR_CEILINGS.periodsPerDay} periods on one day; where they meet or overlap, they are one.`,
      ),
    holidays: z
      .array(z.iso.date())
      .max(CALENDAR_CEILINGS.holidays)
      .default([])
      .describe("Local days without work, YYYY-MM-DD."),
  })
  .meta({ title: "BusinessCalendar", description: "When a clock of working time goes." });
export type BusinessCalendar = z.output<typeof BusinessCalendar>;

/** Monday to Friday, whole days. */
export const BUSINESS_DAYS: Pick<BusinessCalendar, "periods" | "holidays"> = {
  periods: [
    { days: ["monday", "tuesday", "wednesday", "thursday", "friday"], from: "00:00", to: "24:00" },
  ],
  holidays: [],
};

function mostOnOneDay(periods: readonly { days: readonly string[] }[]): number {
  return Math.max(...DAYS.map((day) => periods.filter(({ days }) => days.includes(day)).length));
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
