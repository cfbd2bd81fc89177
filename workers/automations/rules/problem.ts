/** What is wrong with a rule: where, and what its author is to do. */
import { nearest } from "@tl-engine/shared";

export type Path = readonly (string | number)[];

export interface Problem {
  path: Path;
  message: string;
}

const MAX_PROBLEMS = 50;
const MAX_SHOWN = 60;
const MAX_SHOWN_KEYS = 5;
/** Edits that a slip is made of at most. */
const MAX_EDITS = 3;

/** Collects the problems of one rule, up to a ceiling: a rule can be made of nothing else. */
export class Problems {
  readonly listed: Problem[] = [];

  add(path: Path, message: string): void {
    if (this.listed.length < MAX_PROBLEMS) this.listed.push({ path, message });
  }

  get isEmpty(): boolean {
    return this.listed.length === 0;
  }
}

/** `rules[2].conditions.all[0].op` */
export const pathText = (path: Path) =>
  path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : at ? `.${key}` : key))
    .join("")
    .slice(0, 200);

/** As a line can show it. Of what is nested only the first level is looked at: it may be nested without end. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) {
    const keys = Object.keys(value);
    return cut(
      `{${keys.slice(0, MAX_SHOWN_KEYS).join(", ")}${keys.length > MAX_SHOWN_KEYS ? ", …" : ""}}`,
    );
  }
  return typeof value === "string" ? JSON.stringify(cut(value)) : String(value);
}

const cut = (text: string) => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);

/** `; did you mean X?` where a known name is near, or nothing. */
export function didYouMean(name: unknown, known: readonly string[]): string {
  if (typeof name !== "string" || name.length > MAX_SHOWN) return "";
  // A short name has fewer letters to be wrong in.
  const near = nearest(name, known, Math.min(MAX_EDITS, Math.ceil(name.length / 3)));
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** Names every key of an object that is none of the known ones. */
export function refuseUnknownKeys(
  sent: object,
  known: readonly string[],
  path: Path,
  problems: Problems,
): void {
  for (const key of Object.keys(sent))
    if (!known.includes(key))
      problems.add(
        [...path, key],
        `there is no key ${shown(key)} here${didYouMean(key, known) || `; there are ${known.join(", ")}`}`,
      );
}

/** Whether it is one of the known names; a problem where it is not. */
export function isKnownName<Name extends string>(
  sent: unknown,
  known: readonly Name[],
  path: Path,
  problems: Problems,
): sent is Name {
  if (known.includes(sent as Name)) return true;
  const hint = didYouMean(sent, known) || `; it is one of ${known.join(", ")}`;
  problems.add(path, sent === undefined ? `is missing${hint}` : `is ${shown(sent)}${hint}`);
  return false;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
