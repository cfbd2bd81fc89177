/** What one worker accepts: its message types, its reply-to addresses, its limits. */
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import { type BrokerNames, jobType } from "../wire/names.ts";

/** What one worker accepts; built once by {@link createReception}. */
export interface Reception {
  definition: WorkerDefinition;
  names: BrokerNames;
  /** By message type: every job and every event that the worker takes. */
  targets: ReadonlyMap<string, Target>;
  /** The most that any action of the worker takes. */
  maxInputBytes: number;
  isReplyToAllowed(replyTo: string): boolean;
  /** REPLY_EXCHANGE; "" is the default one. */
  replyExchange: string;
  maxAgeMs: number;
}

export interface Target {
  actionName: string;
  action: Action;
  /** Makes the input of an event; jobs have none. */
  map: ((event: unknown) => unknown) | undefined;
}

export interface ReceptionOptions {
  definition: WorkerDefinition;
  names: BrokerNames;
  /** REPLY_TO_ALLOW: `*` stands for any text. */
  replyToAllow: string;
  /** Default: "", the default exchange. */
  replyExchange?: string;
  maxAgeMs: number;
}

export const DEFAULT_MAX_INPUT_BYTES = 1024 * 1024;

export function createReception(options: ReceptionOptions): Reception {
  const { definition, names, replyToAllow, replyExchange = "", maxAgeMs } = options;
  const { name, actions, on = {} } = definition;
  const targets = new Map<string, Target>();
  for (const [actionName, action] of Object.entries(actions))
    targets.set(jobType(name, actionName, action.version), { actionName, action, map: undefined });
  for (const [type, { action: actionName, map }] of Object.entries(on))
    targets.set(type, { actionName, action: actions[actionName] as Action, map });
  return {
    definition,
    names,
    targets,
    maxInputBytes: maxInputBytesOf(definition),
    isReplyToAllowed: replyToCheck(names, replyToAllow),
    replyExchange,
    maxAgeMs,
  };
}

/** The most that any action of the worker takes. */
export function maxInputBytesOf({ actions }: WorkerDefinition): number {
  const limits = Object.values(actions).map(({ maxInputBytes }) => maxInputBytes ?? 0);
  return Math.max(DEFAULT_MAX_INPUT_BYTES, ...limits);
}

function replyToCheck(names: BrokerNames, allowList: string): (replyTo: string) => boolean {
  const patterns = allowList
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("*").map(RegExp.escape).join(".+"));
  const allowed = new RegExp(`^(?:${patterns.join("|")})$`);
  // A caller sends many jobs with one reply-to.
  let lastAllowed: string | undefined;
  return (replyTo) => {
    if (replyTo === lastAllowed) return true;
    if (replyTo.startsWith(`${names.prefix}.`) || !allowed.test(replyTo)) return false;
    lastAllowed = replyTo;
    return true;
  };
}
