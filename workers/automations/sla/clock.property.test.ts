/** Deadlines against a clock that goes minute by minute: any states, any calendar, any zone. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DAYS } from "../calendar/schema.ts";
import { compilePolicy, type ItemHistory, standingOf } from "./clock.ts";
import { SlaPolicy } from "./schemas.ts";

const MINUTE_MS = 60_000;
const RUNS = Number(process.env.CALENDAR_RUNS ?? 1_000);
const ZONES = ["UTC", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Europe/Madrid"];
const STATES = ["todo", "doing", "waiting", "done"];

const two = (n: number) => String(n).padStart(2, "0");
const calendar = fc
  .record({
    timeZone: fc.constantFrom(...ZONES),
    days: fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }),
    from: fc.integer({ min: 0, max: 1_439 }),
    minutes: fc.integer({ min: 1, max: 1_440 }),
    holidays: fc.constantFrom([], ["2026-09-06"], ["2026-04-24", "2026-10-05"]),
  })
  .map(({ timeZone, days, from, minutes, holidays }) => {
    const to = Math.min(1_440, from + minutes);
    const time = (minute: number) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
    return { timeZone, periods: [{ days, from: time(from), to: time(to) }], holidays };
  });
const begins = ["2026-09-05T12:00Z", "2026-04-23T12:00Z", "2026-10-03T06:00Z", "2026-10-29T12:00Z"];
const begin = fc.constantFrom(...begins.map((text) => Date.parse(text)));
const changes = fc.array(
  fc.record({ minute: fc.integer({ min: 0, max: 2_500 }), state: fc.constantFrom(...STATES) }),
  { maxLength: 6 },
);

test("deadline, time used and breach are what a clock says that goes minute by minute", () => {
  fc.assert(
    fc.property(
      ...([calendar, begin, changes] as const),
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 1, max: 2_600 }),
      (sentCalendar, createdMs, sentChanges, targetMinutes, nowMinute) => {
        // One change a minute: what counts of two is another test's.
        const byMinute = new Map(sentChanges.map(({ minute, state }) => [minute, state]));
        const history: ItemHistory = {
          ...{ createdMs, priority: "none" },
          changes: [...byMinute].map(([minute, state]) => ({
            ...{ atMs: createdMs + minute * MINUTE_MS, state },
          })),
        };
        const policy = compilePolicy(
          SlaPolicy.parse({
            ...{ startStates: ["doing"], pauseStates: ["waiting"], stopStates: ["done"] },
            ...{ targetSeconds: targetMinutes * 60, calendar: sentCalendar },
          }),
        );
        const worked = (minute: number) =>
          policy.time.between(
            createdMs + minute * MINUTE_MS,
            createdMs + (minute + 1) * MINUTE_MS,
          ) > 0;
        let state: string | undefined;
        let hasStarted = false;
        let used = 0;
        let breached: number | undefined;
        const goes = () => hasStarted && state !== "waiting" && state !== "done";
        for (let minute = 0; minute <= nowMinute; minute++) {
          state = byMinute.get(minute) ?? state;
          hasStarted ||= state === "doing";
          if (goes() && used >= targetMinutes) breached ??= minute;
          if (minute < nowMinute && goes() && worked(minute)) used++;
        }
        const standing = standingOf(policy, history, createdMs + nowMinute * MINUTE_MS);
        expect(standing.usedMs).toBe(used * MINUTE_MS);
        expect(standing.breachedMs).toBe(
          breached === undefined ? undefined : createdMs + breached * MINUTE_MS,
        );
        if (standing.clock !== "running" || standing.dueMs === undefined || used >= targetMinutes)
          return;
        expect(policy.time.between(createdMs + nowMinute * MINUTE_MS, standing.dueMs)).toBe(
          (targetMinutes - used) * MINUTE_MS,
        );
      },
    ),
    { numRuns: RUNS },
  );
}, 600_000);
