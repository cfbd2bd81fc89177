/** The one logger: JSON lines, secrets out, payloads never in. */
import { type DestinationStream, type Logger, pino } from "pino";
import { redactUrls } from "./redact.ts";
import { withSourceLines } from "./source-lines.ts";

export { redactUrls } from "./redact.ts";

/** @param to where the lines go; by default to the standard output. */
export function createLog(
  fields: Record<string, string>,
  level: string,
  to: DestinationStream = pino.destination(1),
): Logger {
  const options = {
    level,
    base: fields,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: serializeThrown },
    hooks: { streamWrite: harmless },
  };
  return pino(options, to);
}

/**
 * What is allowed raw in JSON, and still speaks to the terminal that shows it or breaks its lines: C1 and DEL, what
 * turns a line around or is not seen, other line separators, halves of characters.
 */
const HARMFUL = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u007f-\u009f]/gu;

/** The same JSON, with these spelt out. */
const harmless = (line: string) => line.replaceAll(HARMFUL, escaped);

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** Handlers throw what they like: logging it must not throw again. */
function serializeThrown(thrown: unknown): Record<string, unknown> {
  try {
    return thrown instanceof Error
      ? serializeError(thrown)
      : { type: typeof thrown, message: redactUrls(String(thrown)) };
  } catch {
    return { message: "an error that can't be read" };
  }
}

/**
 * What is told of an error beside its message: which it is and where. Libraries put all else on theirs: Node what it
 * could not parse, Postgres the values of a row, an HTTP client the whole request.
 */
const TOLD = [
  ...["type", "code", "errno", "syscall", "address", "port", "hostname"],
  ...["status", "statusCode", "severity", "schema", "table", "column", "constraint"],
];

function serializeError(error: Error): Record<string, unknown> {
  const { message, stack, ...rest } = pino.stdSerializers.err(error);
  const told: Record<string, unknown> = {};
  for (const key of TOLD) {
    const value = rest[key];
    if (typeof value === "string") told[key] = redactUrls(value);
    else if (typeof value === "number") told[key] = value;
  }
  told.message = redactUrls(message);
  told.stack = redactUrls(withSourceLines(String(stack)));
  return told;
}
