/** What a check of the doctor is, what it may find, and what it is given. */
import type { BrokerNames } from "@tl-engine/shared/wire/names";
import type { FoundWorker } from "../../workers.ts";
import type { DoctorConfig } from "./environment.ts";
import type { AtMost } from "./replicas.ts";

export type Finding =
  | { level: "ok"; found: string }
  /** It could not be looked at, or there is nothing to look at: why. */
  | { level: "skipped"; found: string }
  /** Jobs flow, and somebody should look at it. */
  | { level: "warning"; found: string; cause: string; next: string }
  | { level: "failure"; found: string; cause: string; next: string };

export const ok = (found: string): Finding => ({ level: "ok", found });
export const skipped = (found: string): Finding => ({ level: "skipped", found });
/** @param next the command that mends it or shows more. */
export const warning = (found: string, cause: string, next: string): Finding => ({
  level: "warning",
  found,
  cause,
  next,
});
/** @param next the command that mends it or shows more. */
export const failure = (found: string, cause: string, next: string): Finding => ({
  level: "failure",
  found,
  cause,
  next,
});

/** What the servers are held against: the configuration and the definitions. */
export interface Fleet {
  config: DoctorConfig;
  names: BrokerNames;
  workers: readonly FoundWorker[];
  /** Why the manifests don't say it, where they don't. */
  atMost: AtMost | string;
  /** Our clock, milliseconds since 1970. */
  now(): number;
}

/** One thing that is looked at, on a server that has been reached. */
export interface Check<Source> {
  /** `eviction`; told with its part's name before it. */
  name: string;
  /** What it looks at, in a few words. */
  looksAt: string;
  /** Several findings where several things are wrong. What it throws is a failure. */
  run(source: Source, fleet: Fleet): Promise<Finding | Finding[]>;
}

export interface Opened<Source> {
  source: Source;
  /** Of the way there: version, latency. */
  found: Finding;
  close(): Promise<unknown>;
}

/** A server and all that is looked at there. */
export interface Part<Source> {
  name: string;
  /** The command that asks it by hand. Secrets stand in it as variables. */
  byHand(config: DoctorConfig): string;
  /** What a check met on the way, in the words of a start that fails. */
  explain?(error: unknown, config: DoctorConfig): Error;
  /** Reaches it and logs in; a finding where there is none to reach. */
  open(fleet: Fleet): Promise<Opened<Source> | Finding>;
  checks: readonly Check<Source>[];
}
