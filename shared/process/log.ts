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
  };
  return pino(options, to);
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

/** Node puts what it could not parse on its errors as `input`: a payload, or a URL with its password. */
function serializeError(error: Error): Record<string, unknown> {
  const { message, stack, input: _, ...rest } = pino.stdSerializers.err(error);
  const told: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest))
    told[key] = typeof value === "string" ? redactUrls(value) : value;
  told.message = redactUrls(message);
  told.stack = redactUrls(withSourceLines(String(stack)));
  return told;
}
