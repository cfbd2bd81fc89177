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
  | "odd"
  | "heavy"
  | "consume";

/** A job as one copy of it was published, with what the checker needs to know the only right ending. */
export interface PlannedJob {
  id: string;
  action: ActionName;
  input: { n: number } & Record<string, unknown>;
  /** Epoch ms; a job with one may end as `expired`. */
  deadlineMs?: number;
  /** Goes to the bulk lane, whoever sends it. */
  isBulk?: boolean;
  /** It must have been answered so long after its confirm: whatever is under way may not starve it. */
  withinMs?: number;
}

/** `nested`: a header of tables in tables. The others are texts that are no UTF-8. */
export type Oddity =
  | "nested"
  | "correlation-id"
  | "content-type"
  | "reply-to"
  | "type"
  | "message-id";

/** One message that was published. */
export interface Copy {
  /** Different for every message. */
  copy: string;
  caller: string;
  job: PlannedJob;
  /** Different for every message too, where the caller gave one; a replay keeps the letter's. */
  correlationId?: string;
  /** The queue that the caller listens on, where it asks for a reply. */
  replyTo?: string;
  /** Replays of a dead letter: from 1. */
  generation: number;
  /** Epoch seconds. */
  timestamp: number;
  /** Sent as the broker sends what it dead-letters itself, for this reason. */
  burial?: "expired" | "delivery_limit";
  /** May be dropped by the broker where no worker takes it at once. */
  mayExpire?: boolean;
  /** Its reply can't arrive: the queue is full or gone. */
  isDeaf?: boolean;
  /** Headers of its own, such as forged ones. */
  headers?: Record<string, unknown>;
  /** No reader of its properties makes anything of it, or its publisher says what it may not: `invalid_input`. */
  isRefused?: boolean;
  /** In what it can't be read as text, or at all; by {@link Caller}s alone that write bytes. */
  oddity?: Oddity;
}

export type Entry =
  | {
      kind: "run";
      seed: number;
      faults: number;
      jobs: number;
      maxAttempts: number;
      leaseMs: number;
      /** Of all bodies that one worker may hold at once; a larger one is held alone. */
      maxHeldBytes: number;
    }
  | ({ kind: "publish" } & Copy)
  | { kind: "confirm"; copy: string; jobId: string }
  | { kind: "unconfirmed"; copy: string; jobId: string; why: string }
  /** Asked for when; `requested` is what the caller was told. */
  | { kind: "cancel"; jobId: string; requested: boolean; isBeforePublish: boolean }
  | {
      kind: "reply";
      /** The queue in which it lay. */
      queue: string;
      id: string;
      correlationId: string;
      type: string;
      body: string;
      attempt: unknown;
    }
  | { kind: "event"; id: string; type: string; body: string; correlationId: string }
  | {
      kind: "letter";
      id: string;
      type: string;
      body: string;
      correlationId: string | undefined;
      replyTo: string | undefined;
      contentType: string | undefined;
      timestamp: number | undefined;
      headers: Record<string, unknown>;
    }
  /** A request that reached the outside world; `nonce` names the job's intent, `key` is its idempotency key. */
  | { kind: "external"; nonce: string; key: string }
  | {
      kind: "fault";
      fault: string;
      phase: "inject" | "heal";
      touches: readonly string[];
      detail?: string;
    }
  /** The crash test itself stood still from `fromMs` on, and with it all that goes through its proxies. */
  | { kind: "stall"; fromMs: number }
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
export type StampedOf<Kind extends Entry["kind"]> = Extract<Stamped, { kind: Kind }>;

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
