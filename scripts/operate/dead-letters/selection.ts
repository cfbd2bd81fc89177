/** Which letters are meant: by job, code, type and time. */
import { ERROR_CODES } from "@tl-engine/shared/wire/error-codes";
import { type Letter, timeOf } from "./letter.ts";

export interface Selection {
  /** Default: any. */
  id?: string | undefined;
  codes?: readonly string[] | undefined;
  types?: readonly string[] | undefined;
  /** Epoch ms at or after which it ended, or, for a letter that does not say, was published. */
  sinceMs?: number | undefined;
}

/** What was asked for is none; the message says what is. */
export class BadSelection extends Error {
  override readonly name = "BadSelection";
}

/** Variables of the command line. An empty one counts as not given: make exports those that were not. */
export type Given = Record<string, string | undefined>;

/** @throws {BadSelection} */
export function readSelection({ ID, CODE, TYPE, SINCE }: Given, nowMs: number): Selection {
  return {
    id: ID || undefined,
    codes: CODE ? readCodes(CODE) : undefined,
    types: TYPE ? listOf(TYPE) : undefined,
    sinceMs: SINCE ? readSince(SINCE, nowMs) : undefined,
  };
}

const listOf = (text: string) => text.split(",").map((entry) => entry.trim());

function readCodes(text: string): string[] {
  const codes = listOf(text);
  const unknown = codes.find((code) => !Object.hasOwn(ERROR_CODES, code));
  if (unknown === undefined) return codes;
  const known = Object.keys(ERROR_CODES).join(", ");
  throw new BadSelection(`CODE=${unknown} is no error code; there are: ${known}.`);
}

const DURATION = /^(\d{1,6})(s|min|m|h|d)$/;
const UNIT_MS: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** ISO 8601: a day, or a time with its zone, without which it would be another time on another machine. */
const ISO_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/;

function readSince(text: string, nowMs: number): number {
  const [, amount, unit = ""] = DURATION.exec(text) ?? [];
  const at = amount === undefined ? Number.NaN : nowMs - Number(amount) * (UNIT_MS[unit] ?? 0);
  const sinceMs = ISO_TIME.test(text) ? Date.parse(text) : at;
  if (Number.isFinite(sinceMs) && sinceMs <= nowMs) return sinceMs;
  throw new BadSelection(
    `SINCE=${text} must be a time that has passed: 2h, 30min, 3d, or 2026-01-31T08:00Z.`,
  );
}

export const isChosen = (letter: Letter, { id, codes, types, sinceMs }: Selection): boolean =>
  (id === undefined || letter.id === id) &&
  (codes === undefined || codes.includes(letter.code)) &&
  (types === undefined || types.includes(letter.type)) &&
  (sinceMs === undefined || (timeOf(letter) ?? Number.NEGATIVE_INFINITY) >= sinceMs);

/** Jobs that ended as somebody wished: to run them all the same takes their code's name. */
const ENDED_ON_PURPOSE = new Set(["cancelled", "expired"]);

export const needsItsCode = ({ code }: Letter, { codes = [] }: Selection): boolean =>
  ENDED_ON_PURPOSE.has(code) && !codes.includes(code);
