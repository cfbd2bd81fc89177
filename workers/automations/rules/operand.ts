/** Reads what an operator compares with. */
import { RE2JS } from "re2js";
import { CEILINGS } from "../schemas/vocabulary.ts";
import { instantMs } from "./instant.ts";
import type { Operand } from "./operators.ts";
import { isObject, type Path, type Problems, refuseUnknownKeys, shown } from "./problem.ts";

/** A hundred years. */
const MAX_DAYS = 36_525;

/** The value, null for an operator that takes none, or undefined where there is a problem. */
export function readOperand(
  operand: Operand,
  sent: Record<string, unknown>,
  at: Path,
  problems: Problems,
): unknown {
  const path = [...at, "value"];
  if (operand === "none") {
    if (!Object.hasOwn(sent, "value")) return null;
    problems.add(path, "must be left out: this operator compares with nothing");
    return undefined;
  }
  const problem = READERS[operand](sent.value, path, problems);
  if (problem === undefined) return sent.value;
  if (problem !== "")
    problems.add(
      path,
      sent.value === undefined
        ? `is missing: ${problem}`
        : `is ${shown(sent.value)}, and ${problem}`,
    );
  return undefined;
}

/** What is wrong with the value; undefined where nothing is, and "" where it is told already. */
type Reader = (value: unknown, path: Path, problems: Problems) => string | undefined;

const isText = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= CEILINGS.matchedLength;
const isScalar = (value: unknown) =>
  isText(value) ||
  typeof value === "boolean" ||
  (typeof value === "number" && Number.isFinite(value));

function listReader(isElement: (value: unknown) => boolean, what: string): Reader {
  return (value) => {
    const isList = Array.isArray(value) && value.length > 0;
    if (!isList || value.length > CEILINGS.valuesPerCondition)
      return `must be a list of 1 to ${CEILINGS.valuesPerCondition} ${what}`;
    const bad = value.findIndex((element) => !isElement(element));
    return bad === -1 ? undefined : `its element ${bad} is none of the ${what} that it must hold`;
  };
}

const READERS: Record<Exclude<Operand, "none">, Reader> = {
  scalar: (value) =>
    isScalar(value)
      ? undefined
      : "must be a text, a number, true or false; for none there is the operator empty",
  scalars: listReader(isScalar, "texts, numbers, true or false"),
  text: (value) =>
    isText(value) ? undefined : `must be a text of 1 to ${CEILINGS.matchedLength} characters`,
  ids: listReader(isText, "ids"),
  number: (value) =>
    typeof value === "number" && Number.isFinite(value) ? undefined : "must be a number",
  instant: (value, path, problems) => {
    if (isObject(value)) {
      refuseUnknownKeys(value, ["days"], path, problems);
      const { days } = value;
      return typeof days === "number" && Math.abs(days) <= MAX_DAYS
        ? undefined
        : `its days must be a number from ${-MAX_DAYS} to ${MAX_DAYS}, from now on`;
    }
    return Number.isNaN(instantMs(value))
      ? "must be a day (2026-01-31), an instant with offset (2026-01-31T09:00:00Z), or {days: -7} from now"
      : undefined;
  },
  pattern: (value) =>
    typeof value === "string" && value !== "" && value.length <= CEILINGS.patternLength
      ? patternProblem(value)
      : `must be a regular expression of 1 to ${CEILINGS.patternLength} characters`,
};

function patternProblem(pattern: string): string | undefined {
  try {
    const size = RE2JS.compile(pattern).programSize();
    return size <= CEILINGS.patternSize
      ? undefined
      : `must be simpler: it stands for ${size} steps, of which ${CEILINGS.patternSize} are taken; lower its repeat counts`;
  } catch (error) {
    return `must be a regular expression as RE2 takes it: ${(error as Error).message.slice(0, 200)}`;
  }
}
