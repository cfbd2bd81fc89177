/** What one worker accepts: its message types, its reply-to addresses, its limits. */
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import { readReplyToAllow } from "../process/reply-to-allow.ts";
import { type BrokerNames, BURIALS, engineUser, jobType, SCHEDULER } from "../wire/names.ts";
import type { Identity } from "./publisher.ts";

/** What one worker accepts; built once by {@link createReception}. */
export interface Reception {
  definition: WorkerDefinition;
  names: BrokerNames;
  /** By message type: every job and every event that the worker takes. */
  targets: ReadonlyMap<string, Target>;
  /** The most that any action of the worker takes. */
  maxInputBytes: number;
  isReplyToAllowed(replyTo: string, publisher: string | undefined): boolean;
  /** REPLY_EXCHANGE; "" is the default one. */
  replyExchange: string;
  identity: Identity;
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
  /** REPLY_TO_ALLOW: `*` stands for any text, `publisher=` limits an entry to that publisher. */
  replyToAllow: string;
  /** Default: "", the default exchange. */
  replyExchange?: string;
  maxAgeMs: number;
  /** Broker users of this worker and of the tools. */
  runtimeUsers: string[];
  /** PUBLISHER_REQUIRED. */
  isPublisherRequired: boolean;
}

export const DEFAULT_MAX_INPUT_BYTES = 1024 * 1024;

export function createReception(options: ReceptionOptions): Reception {
  const { definition, names, replyToAllow, replyExchange = "", maxAgeMs, runtimeUsers } = options;
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
    identity: {
      prefix: names.prefix,
      // Burials bring back what never ran, and the scheduler what waited, with its counts and its publisher.
      runtimeUsers: new Set([
        ...runtimeUsers,
        engineUser(names.prefix, BURIALS),
        engineUser(names.prefix, SCHEDULER),
      ]),
      isRequired: options.isPublisherRequired,
    },
    maxAgeMs,
  };
}

/** The most that any action of the worker takes. */
export function maxInputBytesOf({ actions }: WorkerDefinition): number {
  const limits = Object.values(actions).map(({ maxInputBytes }) => maxInputBytes ?? 0);
  return Math.max(DEFAULT_MAX_INPUT_BYTES, ...limits);
}

const textsLike = (pattern: string) => pattern.split("*").map(RegExp.escape).join(".+");

/** A publisher that has entries of its own may use those alone; the others are everybody else's. */
function replyToCheck(names: BrokerNames, allowList: string): Reception["isReplyToAllowed"] {
  const entries = readReplyToAllow(allowList);
  if (entries === undefined) throw new TypeError("REPLY_TO_ALLOW is no list of reply queues");
  const patterns = new Map(
    [...Map.groupBy(entries, ({ publisher }) => publisher)].map(([publisher, own]) => [
      publisher,
      new RegExp(`^(?:${own.map(({ pattern }) => textsLike(pattern)).join("|")})$`),
    ]),
  );
  const ofEverybody = patterns.get(undefined);
  // A caller sends many jobs with one reply-to.
  let last: { replyTo: string; publisher: string | undefined } | undefined;
  return (replyTo, publisher) => {
    if (last !== undefined && replyTo === last.replyTo && publisher === last.publisher) return true;
    const allowed = patterns.get(publisher) ?? ofEverybody;
    if (replyTo.startsWith(`${names.prefix}.`) || !allowed?.test(replyTo)) return false;
    last = { replyTo, publisher };
    return true;
  };
}
