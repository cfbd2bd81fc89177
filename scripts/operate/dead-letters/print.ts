/** Dead letters for people: groups, then the oldest letters; everything that a message brought along is spelt out. */
import { renderTable } from "../../show/terminal/table.ts";
import { type Letter, timeOf } from "./letter.ts";
import type { Group, Listed } from "./list.ts";
import type { Replayed } from "./replay.ts";
import { UNROUTED, type UnroutedListed } from "./unrouted.ts";

const MAX_REASON = 100;
/** Several paths, each with what is wrong there. */
const MAX_DETAILS = 240;

const AGE_UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
] as const;

/** `3 d`, `5 h`, `12 min`, `40 s`. */
function ageOf(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined) return "?";
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1_000));
  const [unit, length] = AGE_UNITS.find(([, length]) => seconds >= 2 * length) ?? ["s", 1];
  return `${Math.floor(seconds / length)} ${unit}`;
}

/** As SINCE takes it. */
const timeText = (atMs: number | undefined) =>
  atMs === undefined ? "?" : `${new Date(atMs).toISOString().slice(0, 19)}Z`;

const left = (title: string) => ({ title, align: "left" as const });
const indented = (lines: string[]) => lines.map((line) => `  ${line}`);

function groupTable(title: string, groups: Group[]): string[] {
  const columns = [
    left(title),
    { title: "count", align: "right" as const },
    ...["first", "last", "one of them"].map(left),
  ];
  const rows = groups.map(({ of, count, firstMs, lastMs, sampleId }) => [
    ...[of, String(count), timeText(firstMs), timeText(lastMs), sampleId || "(no id)"],
  ]);
  return indented(renderTable(columns, rows));
}

function letterTable(letters: Letter[], nowMs: number): string[] {
  const columns = ["job", "type", "code", "attempt", "app", "age", "why"].map(left);
  const rows = letters.map((letter) => [
    letter.id || "(no id)",
    letter.type || "(no type)",
    letter.code,
    letter.generation === 0
      ? String(letter.attempt)
      : `${letter.attempt}, replay ${letter.generation}`,
    letter.appId,
    ageOf(timeOf(letter), nowMs),
    reasonOf(letter),
  ]);
  return indented(renderTable(columns, rows));
}

/** Both in a line's length: where it is wrong must not be cut off by what is. */
function reasonOf({ message, details, cutBytes }: Letter): string {
  const parts = [clipped(message, MAX_REASON), clipped(details, MAX_DETAILS)].filter(
    (part) => part !== "",
  );
  if (cutBytes !== undefined) parts.push(`cut from ${cutBytes} bytes`);
  return parts.join(" → ");
}

function clipped(text: string, width: number): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

const more = ({ count, seen, letters }: Listed): string[] => [
  ...(count > letters.length ? [`  … and ${count - letters.length} more (LIMIT=n)`] : []),
  ...(count > seen ? [`  (counted by code are the ${seen} oldest)`] : []),
];

/** Lines without breaks of their own. */
export function linesOfLetters(engine: string, listed: Listed, nowMs: number): string[] {
  const { count, groups, letters } = listed;
  if (count === 0) return [`${engine}: 0`];
  return [
    `${engine}: ${count}`,
    ...groupTable("code", groups),
    ...(letters.length === 0 ? [] : ["", ...letterTable(letters, nowMs)]),
    ...more(listed),
    "",
  ];
}

const WITHOUT_ENGINE = "mend the publisher's routing key, or declare the engine (make topology)";

export function linesOfUnrouted(listed: UnroutedListed, nowMs: number): string[] {
  const { count, groups, letters, routed } = listed;
  if (count === 0) return [`${UNROUTED}: 0`];
  const isRouted = ({ of }: Group) => routed.includes(of);
  return [
    `${UNROUTED}: ${count} for an engine that was not there`,
    ...groupTable("for", groups),
    ...(letters.length === 0 ? [] : ["", ...letterTable(letters, nowMs)]),
    ...more(listed),
    ...(groups.some(isRouted)
      ? [`  Some have their engine now: make replay NAME=${UNROUTED} ALL=1`]
      : [`  None of these engines is there: ${WITHOUT_ENGINE}`]),
    "",
  ];
}

/** The last line of a script's output comes first: counts, then what stays. */
export function linesOfReplayed(name: string, replayed: Replayed, dryRun: boolean): string[] {
  const { codes, left, unnamed } = replayed;
  const byCode = Object.entries(codes).map(([code, count]) => `${code || "(no code)"} ${count}`);
  const did = dryRun ? "would-replay" : "replayed";
  return [
    `${name}: ${did}=${replayed.replayed.length} left=${left.length}${byCode.length > 0 ? ` (${byCode.join(", ")})` : ""}`,
    ...Object.entries(unnamed).map(
      ([code, count]) => `  ${count} ${code}: as somebody wished; CODE=${code} replays them`,
    ),
    ...left.map(({ id, why }) =>
      name === UNROUTED
        ? `  ${id || "(no id)"}: ${why}`
        : `  ${id || "(no id)"}: ${why}; publish it anew under a new id.`,
    ),
  ];
}
