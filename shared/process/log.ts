/** The one logger: JSON lines, secrets out, payloads never in. */
import { type Logger, pino } from "pino";
import { withSourceLines } from "./source-lines.ts";

const CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;

/** Takes user and password out of every URL in a text. */
export const redactUrls = (text: string) => text.replace(CREDENTIALS, "$1***@");

export function createLog(fields: Record<string, string>, level: string): Logger {
  return pino({
    level,
    base: fields,
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: {
      err(error: Error) {
        const { message, stack, ...rest } = pino.stdSerializers.err(error);
        return { ...rest, message: redactUrls(message), stack: redactUrls(withSourceLines(stack)) };
      },
    },
  });
}
