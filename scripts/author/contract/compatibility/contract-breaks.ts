/** What in the contract of today breaks those who publish, or read, by the contract of the last release. */
import type { ActionContract, EngineContract } from "../../contract.ts";
import { escaped } from "./read-schema.ts";
import { type Direction, type SchemaBreak, schemaBreaks } from "./schema-breaks.ts";

export interface Break extends SchemaBreak {
  engine: string;
  /** An action's type, or an event's; empty for the engine as a whole. */
  of: string;
  /** `input`, `output`, `event`, or a limit. */
  part: string;
  todo: string;
}

type Finding = Omit<Break, "engine">;

/** Of each engine that there was; whatever is new breaks nobody. */
export function contractBreaks(baseline: EngineContract[], current: EngineContract[]): Break[] {
  return baseline.flatMap((was) => {
    const is = current.find(({ engine }) => engine === was.engine);
    const found = is ? engineBreaks(was, is) : [gone("", "engine", "", "the engine is gone")];
    return found.map((one) => ({ engine: was.engine, ...one }));
  });
}

/** What a new version would be: an engine has one version of an action, and another one takes another name. */
const BESIDE = (type: string) =>
  `keep ${type} as it was and give the change to a new action beside it; once nobody publishes ${type}, take it out in a release with a new major version`;
const ANNOUNCED =
  "callers match codes: keep it, or announce it in CHANGELOG.md and release a new major version";
const SEEN = "breaks nobody who reads as the contract says; tell it in CHANGELOG.md";

const gone = (of: string, part: string, pointer: string, what: string): Finding => ({
  ...{ isWarning: false, field: "", file: "baseline", of, part, pointer, what },
  todo: `bring it back; to take it out, be sure that nobody uses it and release a new major version`,
});

function engineBreaks(was: EngineContract, is: EngineContract): Finding[] {
  return [
    ...codeBreaks(was.errorCodes, is.errorCodes),
    ...limitBreaks(was, is),
    ...Object.entries(was.actions).flatMap(([name, action]) => {
      const now = is.actions[name];
      const at = `/actions/${escaped(name)}`;
      if (!now) return [gone(action.type, "action", at, `the action ${name} is gone`)];
      return now.version === action.version
        ? actionBreaks(at, action, now)
        : [versionGone(at, action, now)];
    }),
    ...Object.entries(was.events).flatMap(([type, schema]) => {
      const at = `/events/${escaped(type)}`;
      const now = is.events[type];
      if (!now) return [gone(type, "event", at, "the event is announced no more")];
      return between(type, "event", at, [schema, now], "output");
    }),
  ];
}

const versionGone = (at: string, was: ActionContract, is: ActionContract): Finding => ({
  ...gone(was.type, "action", `${at}/version`, `jobs of ${was.type} end as unknown_version`),
  todo: `keep version ${was.version} and give version ${is.version} to a new action beside it; once nobody publishes ${was.type}, release a new major version`,
});

function between(
  of: string,
  part: string,
  at: string,
  [was, is]: [older: unknown, newer: unknown],
  direction: Direction,
): Finding[] {
  const found = schemaBreaks({ schema: was, pointer: at }, { schema: is, pointer: at }, direction);
  return found.map((one) => ({ ...one, of, part, todo: one.isWarning ? SEEN : BESIDE(of) }));
}

function actionBreaks(at: string, was: ActionContract, is: ActionContract): Finding[] {
  const { type } = was;
  const limit = (key: "maxInputBytes" | "maxOutputBytes") =>
    is[key] < was[key]
      ? [
          limitFinding(
            type,
            `${at}/${key}`,
            `${key} was ${was[key]} and is ${is[key]}`,
            BESIDE(type),
          ),
        ]
      : [];
  const raised = `maxOutputBytes was ${was.maxOutputBytes} and is ${is.maxOutputBytes}: replies may be larger`;
  const silent = was.emits.filter((event) => !is.emits.includes(event));
  return [
    ...between(type, "input", `${at}/input`, [was.input, is.input], "input"),
    ...between(type, "output", `${at}/output`, [was.output, is.output], "output"),
    ...limit("maxInputBytes"),
    ...limit("maxOutputBytes"),
    ...(is.maxOutputBytes > was.maxOutputBytes
      ? [warning(type, `${at}/maxOutputBytes`, raised)]
      : []),
    ...silent.map((event) => gone(type, "emits", `${at}/emits`, `announces ${event} no more`)),
  ];
}

const limitFinding = (of: string, pointer: string, what: string, todo: string): Finding => ({
  ...{ isWarning: false, field: "", file: "current", of, part: "limit", pointer, what, todo },
});

const warning = (of: string, pointer: string, what: string): Finding => ({
  ...limitFinding(of, pointer, what, SEEN),
  isWarning: true,
});

function limitBreaks(was: EngineContract, is: EngineContract): Finding[] {
  const told = (key: "timeoutMs" | "maxAttempts" | "longestReplyMs") =>
    warning("", `/${key}`, `${key} was ${was[key]} and is ${is[key]}`);
  return [
    ...(is.timeoutMs < was.timeoutMs ? [told("timeoutMs")] : []),
    ...(is.maxAttempts < was.maxAttempts ? [told("maxAttempts")] : []),
    ...(is.longestReplyMs > was.longestReplyMs ? [told("longestReplyMs")] : []),
  ];
}

function codeBreaks(was: string[], is: string[]): Finding[] {
  const removed = was.filter((code) => !is.includes(code));
  const added = is.filter((code) => !was.includes(code));
  return [
    ...removed.map((code) => ({
      ...gone("", "error codes", "/errorCodes", `the error code ${code} is gone`),
      todo: ANNOUNCED,
    })),
    ...added.map((code) => ({
      ...warning("", "/errorCodes", `the error code ${code} is new`),
      part: "error codes",
    })),
  ];
}

/** Three lines: where, what, and what to do. */
export function breakText(one: Break, files: { baseline: string; current: string }): string {
  const whose = [one.of || one.engine, one.part, one.field && `\`${one.field}\``];
  return [
    `${one.isWarning ? "warning" : "break"}: ${whose.filter(Boolean).join(" ")}: ${one.what}`,
    `  at ${files[one.file]}#${one.pointer}`,
    `  ${one.todo}.`,
  ].join("\n");
}
