/** Checks a value against an engine's schema; whatever the schema does, it never throws. */
import { z } from "zod";
import { boundDetail, MAX_DETAILS, type Problem } from "./problem.ts";

/** What is wrong, in one sentence; the caller knows the code. It never holds the value. */
export type SchemaProblem = Omit<Problem, "code">;

export type Parsed<Data = unknown> =
  | { ok: true; data: Data }
  | { ok: false; problem: SchemaProblem };

/**
 * A schema is the engine's own code: it may refuse the value, throw on it, or turn out to be
 * asynchronous, which all come back as a problem.
 * @param subject begins the sentence: "the input of probe.run".
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  subject: string,
): Parsed<z.output<Schema>> {
  try {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { ok: true, data: parsed.data };
    const message = `${subject} breaks its schema`;
    return { ok: false, problem: { message, details: detailsOf(parsed.error) } };
  } catch (error) {
    return { ok: false, problem: { message: `${subject} can't be checked: ${whyNot(error)}` } };
  }
}

// Of an error that is not ours only its name is told: its message may hold the value.
const whyNot = (error: unknown) =>
  isAsync(error)
    ? "its schema is asynchronous; schemas must be synchronous"
    : `its schema itself failed on it (${nameOf(error)})`;

function isAsync(error: unknown): boolean {
  try {
    return error instanceof z.core.$ZodAsyncError;
  } catch {
    return false;
  }
}

const NAME = /^[A-Za-z$_][\w$]{0,59}$/;

/** The name of whatever was thrown: a Proxy, null, or an error whose getters throw included. */
export function nameOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return `threw ${thrown === null ? "null" : typeof thrown}`;
    const { name } = thrown;
    return typeof name === "string" && NAME.test(name) ? name : "Error";
  } catch {
    return "threw something unreadable";
  }
}

/** The issues of an error, bounded. Throws where an engine made issues of something else than texts. */
function detailsOf(error: z.core.$ZodError): { path: string; message: string }[] {
  return error.issues
    .slice(0, MAX_DETAILS)
    .map((issue) =>
      boundDetail({ path: issue.path.map(String).join("."), message: String(issue.message) }),
    );
}

/** The issues of an error where it is one of zod's that can be read. */
export function issuesIn(thrown: unknown): { path: string; message: string }[] | undefined {
  try {
    return thrown instanceof z.core.$ZodError ? detailsOf(thrown) : undefined;
  } catch {
    return undefined;
  }
}
