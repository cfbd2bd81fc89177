/** Makes one readable line of a worker's JSON log line. */
import { styleText } from "node:util";
import { printable } from "../../show/terminal/printable.ts";

/** Said in front, or of no use on one's own machine. */
const LEFT_OUT = new Set(["level", "time", "engine", "env", "worker", "msg", "err"]);
const COLOURS = {
  trace: "gray",
  debug: "gray",
  info: "green",
  warn: "yellow",
  error: "red",
  fatal: "red",
} as const;
const NAME_WIDTH = 12;

/** `12:34:56.789 activities   info  ready prefetch=64`; a line that is no log line stays as it is. */
export function prettyLine(engine: string, line: string): string {
  const entry = parse(line);
  if (entry === undefined) return `${stamp(new Date())} ${name(engine)} ${printable(line)}`;
  const { time, level, msg, err } = entry;
  const fields = Object.entries(entry)
    .filter(([key]) => !LEFT_OUT.has(key))
    .map(([key, value]) => `${styleText("gray", `${printable(key)}=`)}${oneLine(value)}`);
  return [
    stamp(typeof time === "string" ? new Date(time) : new Date()),
    name(engine),
    coloured(printable(String(level))),
    oneLine(msg ?? ""),
    ...fields,
    ...(err === undefined ? [] : [describeError(err)]),
  ].join(" ");
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const name = (engine: string) => styleText("cyan", engine.padEnd(NAME_WIDTH));

function stamp(time: Date): string {
  const text = Number.isNaN(time.getTime()) ? new Date() : time;
  return styleText("gray", text.toTimeString().slice(0, 8) + text.toISOString().slice(19, 23));
}

function coloured(level: string): string {
  const colour = Object.hasOwn(COLOURS, level) ? COLOURS[level as keyof typeof COLOURS] : "gray";
  return styleText(colour, level.padEnd(5));
}

function oneLine(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return printable(text.replaceAll(/\s*\n\s*/g, " ⏎ "));
}

/** The message, and the first place in the project's own code. */
function describeError(err: unknown): string {
  const { message, stack } = err as { message?: unknown; stack?: unknown };
  const place = String(stack ?? "")
    .split("\n")
    .filter((line) => !line.includes("node_modules") && !line.includes("node:"))
    .map((line) => /((?:shared|workers|scripts)\/[^\s()]+:\d+:\d+)/.exec(line)?.[1])
    .find((found) => found !== undefined);
  return `${styleText("red", oneLine(message ?? err))}${place === undefined ? "" : ` at ${printable(place)}`}`;
}
