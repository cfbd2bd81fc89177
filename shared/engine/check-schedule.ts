/**
 * Checks a schedule as far as that costs a start nothing: what its pattern means, and whether its input is good, the
 * scheduler's own schema says, which `make check` holds the schedules' file against.
 */
import { NAME } from "../wire/names.ts";
import type { WorkerDefinition } from "./define-worker.ts";
import { checkKeys, checkRanges, checkWord, type Fail } from "./option-checks.ts";

const DAY_S = 86_400;
const YEAR_S = 366 * DAY_S;

const RANGES = {
  everySeconds: [1, YEAR_S],
  jitterSeconds: [0, 3_600],
  runLimitSeconds: [1, 30 * DAY_S],
} as const;
const CATCH_UP_RANGES = { windowSeconds: [0, YEAR_S] } as const;
const WORDS = {
  lane: ["interactive", "bulk"],
  overlap: ["skip", "queue-one", "allow"],
} as const;
const POLICIES = ["skip", "once", "all"];

const KEYS = [
  ...["action", "cron", "timeZone", "anchor", "input", "catchUp"],
  ...Object.keys(RANGES),
  ...Object.keys(WORDS),
];
const CATCH_UP_KEYS = ["policy", ...Object.keys(CATCH_UP_RANGES)];

/** Minute, hour, day, month, weekday. */
const FIVE_FIELDS = /^\s*\S+(\s+\S+){4}\s*$/;
const MAX_PATTERN_LENGTH = 200;

export function checkSchedules(
  schedules: NonNullable<WorkerDefinition["schedules"]>,
  actions: WorkerDefinition["actions"],
  fail: Fail,
): void {
  for (const [name, schedule] of Object.entries(schedules)) {
    if (!NAME.test(name)) fail(`the schedule name ${JSON.stringify(name)} must match ${NAME}`);
    if (typeof schedule !== "object" || schedule === null || Array.isArray(schedule))
      fail(`schedules.${name} must be an object`);
    checkSchedule(schedule as unknown as Record<string, unknown>, `schedules.${name}`, fail);
    const { action } = schedule;
    checkWord(action, Object.keys(actions), `schedules.${name}.action`, fail);
  }
}

function checkSchedule(schedule: Record<string, unknown>, place: string, fail: Fail): void {
  checkKeys(schedule, KEYS, `${place}.`, fail);
  const { cron, everySeconds, timeZone, anchor, overlap, catchUp = {} } = schedule;
  if ((cron === undefined) === (everySeconds === undefined))
    fail(`${place} needs either cron or everySeconds`);
  if (cron !== undefined) checkPattern(cron, `${place}.cron`, fail);
  const odd = cron === undefined ? { timeZone } : { anchor };
  for (const [key, value] of Object.entries(odd))
    if (value !== undefined)
      fail(`${place}.${key} says nothing beside ${cron === undefined ? "everySeconds" : "cron"}`);
  for (const [key, value] of Object.entries({ timeZone, anchor }))
    if (value !== undefined && (typeof value !== "string" || value === ""))
      fail(`${place}.${key} must be a text`);
  checkRanges(schedule, RANGES, `${place}.`, [], fail);
  for (const [key, words] of Object.entries(WORDS))
    if (schedule[key] !== undefined) checkWord(schedule[key], words, `${place}.${key}`, fail);
  if (typeof catchUp !== "object" || catchUp === null) fail(`${place}.catchUp must be an object`);
  checkKeys(catchUp as object, CATCH_UP_KEYS, `${place}.catchUp.`, fail);
  checkRanges(catchUp as object, CATCH_UP_RANGES, `${place}.catchUp.`, [], fail);
  const { policy } = catchUp as { policy?: unknown };
  if (policy !== undefined) checkWord(policy, POLICIES, `${place}.catchUp.policy`, fail);
  if (policy === "all" && overlap !== "allow")
    fail(`${place}.overlap must be allow where all missed slots are run: they run together`);
}

function checkPattern(cron: unknown, place: string, fail: Fail): void {
  if (typeof cron !== "string" || cron.length > MAX_PATTERN_LENGTH || !FIVE_FIELDS.test(cron))
    fail(
      `${place} must have five fields (minute, hour, day, month, weekday), in at most ${MAX_PATTERN_LENGTH} characters`,
    );
}
