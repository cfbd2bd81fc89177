/** What a handler holds in its hands while its job runs. */
import type { Logger } from "pino";
import type { Job, Tx } from "../engine/define-worker.ts";
import { isConnectionLoss, type Pool } from "../stores/database.ts";
import type { Redis } from "../stores/redis.ts";
import { digest } from "./json.ts";
import type { ReceivedJob } from "./receive.ts";
import type { OwnTransaction, Transactions } from "./transaction.ts";

/** Why a job was aborted; the signal's reason. */
export class Aborted extends Error {
  override readonly name = "Aborted";
  readonly why: "timeout" | "deadline" | "cancelled" | "shutdown";
  constructor(why: Aborted["why"], message: string) {
    super(message);
    this.why = why;
  }
}

/** An event as the result row keeps it, so that a redelivery announces the same again. */
export interface StoredEvent {
  id: string;
  type: string;
  body: string;
}

/** What all jobs of a worker share. */
export interface Tools {
  log: Logger;
  pool: Pool;
  redis: Redis;
  transactions: Transactions;
  timeoutMs: number;
}

export class JobContext implements Job {
  readonly id: string;
  readonly attempt: number;
  readonly events: StoredEvent[] = [];
  /** JSON for the next heartbeat, or "". */
  latestProgress = "";
  transaction: OwnTransaction | undefined;
  databaseLost = false;
  readonly #job: ReceivedJob;
  readonly #tools: Tools;
  #controller: AbortController | undefined;
  #reason: Aborted | undefined;
  #onAbort: ((reason: Aborted) => void) | undefined;
  #beginning: Promise<OwnTransaction> | undefined;

  constructor(job: ReceivedJob, tools: Tools) {
    this.id = job.id;
    this.attempt = job.attempt;
    this.#job = job;
    this.#tools = tools;
  }

  // Most handlers need neither signal nor log, and both cost more than the rest of a short job.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  get log(): Logger {
    const { id, type, attempt } = this.#job;
    return this.#tools.log.child({ jobId: id, type, attempt });
  }

  get deadline(): Date | undefined {
    return this.#job.deadline === undefined ? undefined : new Date(this.#job.deadline);
  }

  get redis(): Redis {
    return this.#tools.redis;
  }

  get db(): Tx {
    const query = async (...args: unknown[]) => {
      try {
        return await Reflect.apply(this.#tools.pool.query, this.#tools.pool, args);
      } catch (error) {
        if (isConnectionLoss(error)) this.databaseLost = true;
        throw error;
      }
    };
    return { query: query as Tx["query"] };
  }

  progress(fraction: number, note?: string): void {
    const bounded = Math.min(1, Math.max(0, fraction));
    this.latestProgress = JSON.stringify({
      fraction: bounded,
      note: note?.slice(0, 200),
      at: Date.now(),
    });
  }

  emit(type: string, data: unknown): void {
    const schema = this.#job.action.emits?.[type];
    if (schema === undefined)
      throw new TypeError(`${this.#job.actionName} does not declare the event ${type}`);
    const body = JSON.stringify(schema.parse(data));
    this.events.push({ id: eventId(this.#job, type, this.events.length), type, body });
  }

  async tx(): Promise<Tx> {
    this.#beginning ??= this.#tools.transactions.begin(this.#tools.timeoutMs);
    try {
      this.transaction = await this.#beginning;
    } catch (error) {
      if (isConnectionLoss(error)) this.databaseLost = true;
      throw error;
    }
    // Begun too late: nobody would end it.
    if (this.#reason !== undefined) {
      this.transaction.release(true);
      throw this.#reason;
    }
    return this.transaction.tx;
  }

  abort(reason: Aborted): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    // Time spent waiting for a transaction is Postgres', not the handler's: no attempt.
    const awaitsBegin = this.#beginning !== undefined && this.transaction === undefined;
    if (reason.why === "timeout" && awaitsBegin) this.databaseLost = true;
    this.#controller?.abort(reason);
    this.#onAbort?.(reason);
  }

  /** The handler's promise, or the abort, whichever is first. */
  untilAborted<T>(work: Promise<T>): Promise<T> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    return new Promise((resolve, reject) => {
      this.#onAbort = reject;
      work.then(resolve, reject);
    });
  }
}

/** Deterministic, so that a resend is the same event; hashed, so that it is a job id for the consumer. */
function eventId(job: ReceivedJob, type: string, index: number): string {
  return `ev-${digest(`${job.engine}\n${job.id}\n${type}\n${index}`)}`;
}
