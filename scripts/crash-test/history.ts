/** The append-only record of all that the crash test did and saw; the checker judges by it alone. */
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

/** What a job of the test engine is asked to do. */
export type ActionName =
  | "plain"
  | "ledger"
  | "batch"
  | "flaky"
  | "external"
  | "slow"
  | "rejects"
  | "later"
  | "oom"
  | "blocks"
  | "consume";

/** A job as it was published, with what the checker needs to know the only right ending. */
export interface PlannedJob {
  id: string;
  action: ActionName;
  input: { n: number } & Record<string, unknown>;
  /** Epoch ms; a job with one may end as `expired`. */
  deadlineMs?: number;
  /** Headers of its own, such as forged ones. */
  headers?: Record<string, unknown>;
  /** Whether it asks for a reply. */
  hasReplyTo: boolean;
}

export type Entry =
  | { kind: "run"; seed: number; faults: number; jobs: number; maxAttempts: number }
  | { kind: "publish"; copy: string; job: PlannedJob }
  | { kind: "confirm"; copy: string; jobId: string }
  | { kind: "unconfirmed"; copy: string; jobId: string; why: string }
  | { kind: "reply"; id: string; jobId: string; type: string; body: string }
  | { kind: "event"; id: string; type: string; body: string }
  /** A request that reached the outside world; `nonce` names the job's intent, `key` is its idempotency key. */
  | { kind: "external"; nonce: string; key: string }
  | { kind: "fault"; fault: string; phase: "inject" | "heal" | "note"; detail?: string }
  /** The engine's queue was deleted with all that was in it. */
  | { kind: "queue-deleted" }
  | {
      kind: "exit";
      worker: string;
      code: number | null;
      signal: string | null;
      /** Why the crash test expected it; undefined when the worker died of itself. */
      reason?: string;
    };

export type Stamped = Entry & { at: number };

export interface History {
  readonly entries: readonly Stamped[];
  append(entry: Entry): void;
  /** Writes what is pending to the disk. */
  close(): Promise<void>;
}

/** Keeps the entries in memory for the checker and in `path`, one JSON object a line, for people. */
export function openHistory(path: string): History {
  const entries: Stamped[] = [];
  const file = createWriteStream(path, { flags: "w" });
  return {
    entries,
    append(entry) {
      const stamped = { at: Date.now(), ...entry };
      entries.push(stamped);
      file.write(`${JSON.stringify(stamped)}\n`);
    },
    async close() {
      file.end();
      await finished(file);
    },
  };
}
