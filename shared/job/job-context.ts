/** What a handler holds in its hands while its job runs. */
import type { Logger } from "pino";
import type { Action, Job, LaterOptions, Tx, WorkerDefinition } from "../engine/define-worker.ts";
import { bindFiles } from "../engine/file-schema.ts";
import { type FilesTools, JobFiles } from "../files/job-files.ts";
import { isConnectionLoss } from "../stores/database.ts";
import type { Redis } from "../stores/redis.ts";
import { JOB_ID, jobType, MAX_AHEAD_MS } from "../wire/names.ts";
import { HandlerClock } from "./handler-clock.ts";
import { BadJson, digest, readJson } from "./json.ts";
import type { ReceivedJob } from "./receive.ts";
import { DEFAULT_MAX_INPUT_BYTES } from "./reception.ts";
import { parseWith, type SchemaProblem } from "./schema.ts";
import type { Connections, OwnTransaction } from "./transaction.ts";

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
  /** Epoch ms: it is no event, but a job of the engine's own that is to run then. */
  runAt?: number;
}

/** What all jobs of a worker share. */
export interface Tools {
  definition: Pick<WorkerDefinition, "name" | "actions">;
  log: Logger;
  /** Undefined where the worker's definition does not ask for it. */
  redis: Redis | undefined;
  /** What all of the engine's keys begin with. */
  keyPrefix: string;
  /** Undefined where the worker's definition does not ask for it. */
  files?: FilesTools | undefined;
  connections: Connections;
  timeoutMs: number;
  /** Called when a handler reports for the first time. */
  onFirstReport(): void;
  /** Whether the worker's definition allows `job.tx()`. */
  hasTransactions: boolean;
  /** The engine's own variables. */
  env: Readonly<Record<string, unknown>>;
}

/** Without the rights, which only a deployed engine lacks, the mistake would show nowhere else. */
export function handlersRedis({ redis }: Pick<Tools, "redis">): Redis {
  if (redis === undefined) throw new TypeError("job.redis: defineWorker must say redis: true");
  return redis;
}

export function handlersFiles({ files }: Pick<Tools, "files">): FilesTools {
  if (files === undefined) throw new TypeError("job.files: defineWorker must say files: true");
  return files;
}

export class JobContext implements Job {
  readonly id: string;
  readonly attempt: number;
  readonly publisher: string | undefined;
  readonly events: StoredEvent[] = [];
  /** JSON for the next heartbeat, or "". */
  latestProgress = "";
  /** When the handler first reported, epoch ms; undefined once that was carried out, and before. */
  unseenSinceMs: number | undefined;
  transaction: OwnTransaction | undefined;
  /** Undefined until the handler asks for it. */
  ownFiles: JobFiles | undefined;
  databaseLost = false;
  readonly #job: ReceivedJob;
  readonly #tools: Tools;
  #controller: AbortController | undefined;
  #reason: Aborted | undefined;
  #onAbort: ((reason: Aborted) => void) | undefined;
  #beginning: Promise<OwnTransaction> | undefined;
  #hasEnded = false;
  #clock: HandlerClock | undefined;
  /** Waits for a connection that began before the clock did. */
  #waits = 0;

  constructor(job: ReceivedJob, tools: Tools) {
    this.id = job.id;
    this.attempt = job.attempt;
    this.publisher = job.publisher;
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
    const { id, type, appId, attempt } = this.#job;
    return this.#tools.log.child({ jobId: id, type, appId, attempt });
  }

  get deadline(): Date | undefined {
    return this.#job.deadline === undefined ? undefined : new Date(this.#job.deadline);
  }

  get redis(): Redis {
    return handlersRedis(this.#tools);
  }

  get files(): JobFiles {
    const { id, db } = this;
    this.ownFiles ??= new JobFiles(handlersFiles(this.#tools), {
      id,
      db,
      signal: () => this.signal,
    });
    return this.ownFiles;
  }

  /** For an engine without files it costs nothing. */
  bindInput(input: unknown): void {
    if (this.#tools.files !== undefined)
      bindFiles(input, (reference) => this.files.read(reference));
  }

  get keyPrefix(): string {
    return this.#tools.keyPrefix;
  }

  get env(): Readonly<Record<string, unknown>> {
    return this.#tools.env;
  }

  get db(): Tx {
    const { connections } = this.#tools;
    const query = (...args: unknown[]) => handled(this.#noteLoss(connections.query(args, this)));
    return { query: query as Tx["query"] };
  }

  progress(fraction: number, note?: string): void {
    const at = Date.now();
    const bounded = Math.min(1, Math.max(0, fraction));
    const isFirst = this.latestProgress === "";
    this.latestProgress = JSON.stringify({ fraction: bounded, note: note?.slice(0, 200), at });
    if (!isFirst) return;
    this.unseenSinceMs = at;
    this.#tools.onFirstReport();
  }

  emit(type: string, data: unknown): void {
    const schema = this.#job.action.emits?.[type];
    if (schema === undefined)
      throw new TypeError(`${this.#job.actionName} does not declare the event ${type}`);
    const parsed = parseWith(schema, data, `the event ${type}`);
    if (!parsed.ok) throw new TypeError(eventFault(parsed.problem));
    const body = JSON.stringify(parsed.data);
    this.events.push({ id: eventId(this.#job, type, this.events.length), type, body });
  }

  later(action: string, input: unknown, { id, runAt }: LaterOptions): void {
    const { actions, name } = this.#tools.definition;
    if (!Object.hasOwn(actions, action))
      throw new TypeError(`job.later: ${name} has no action ${JSON.stringify(action)}`);
    const found = actions[action] as Action;
    const { version, input: schema, maxInputBytes = DEFAULT_MAX_INPUT_BYTES } = found;
    if (!JOB_ID.test(id))
      throw new TypeError(`job.later: the job id ${JSON.stringify(id)} must match ${JOB_ID}`);
    const at = runAt.getTime();
    if (!(at >= 0 && at - Date.now() <= MAX_AHEAD_MS))
      throw new RangeError("job.later: runAt must be a date, at most 366 days ahead");
    const what = `the input of ${name}.${action}`;
    const body = jsonOf(input, maxInputBytes, what);
    // As it will be read: a date is a text by then.
    const parsed = parseWith(schema, JSON.parse(body), what);
    if (!parsed.ok) throw new TypeError(eventFault(parsed.problem));
    const type = jobType(name, action, version);
    this.events.push({ id, type, body, runAt: at });
  }

  tx(): Promise<Tx> {
    return handled(this.#begin());
  }

  async #begin(): Promise<Tx> {
    if (this.#hasEnded) throw new Error("the job has ended: await job.tx() inside of the handler");
    const { connections, timeoutMs, hasTransactions } = this.#tools;
    if (!hasTransactions) throw new Error("the worker's definition says `transactions: 0`");
    this.#beginning ??= connections.begin(timeoutMs, this);
    const transaction = await this.#noteLoss(this.#beginning);
    // Begun too late: nobody else would end it.
    if (this.#reason !== undefined || this.#hasEnded) {
      transaction.release(true);
      throw this.#reason ?? new Error("the job has ended");
    }
    this.transaction = transaction;
    return transaction.tx;
  }

  /** Gives the transaction back, also one that is still to begin since the handler did not await it. */
  end(discard: boolean): void {
    this.#hasEnded = true;
    if (this.transaction !== undefined) this.transaction.release(discard);
    else this.#beginning?.then(({ release }) => release(true)).catch(() => {});
  }

  /** Measures the handler's time from now on, without what it waits for a connection. */
  startClock(timeoutMs: number, onEnd: () => void): HandlerClock {
    this.#clock = new HandlerClock(timeoutMs, onEnd);
    for (let i = 0; i < this.#waits; i++) this.#clock.pause();
    return this.#clock;
  }

  /** The job waits for a resource of ours: not the handler's time. */
  pause(): void {
    this.#waits++;
    this.#clock?.pause();
  }

  resume(): void {
    this.#waits--;
    this.#clock?.resume();
  }

  abort(reason: Aborted): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#onAbort?.(reason);
  }

  /** What the handler's promise comes to, or the abort, whichever is first. */
  untilAborted<T>(work: PromiseLike<T>): Promise<T> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    return new Promise((resolve, reject) => {
      this.#onAbort = reject;
      work.then(resolve, reject);
    });
  }

  /** Remembers that Postgres was lost under the job, whatever the handler makes of the error, until it is there again. */
  async #noteLoss<T>(work: Promise<T>): Promise<T> {
    const wasLost = this.databaseLost;
    try {
      const answer = await work;
      if (wasLost) this.databaseLost = false;
      return answer;
    } catch (error) {
      if (isConnectionLoss(error)) this.databaseLost = true;
      throw error;
    }
  }
}

/** @throws {TypeError} for what no message can hold, or its engine would refuse at its time. */
function jsonOf(input: unknown, maxBytes: number, what: string): string {
  const body = JSON.stringify(input) as string | undefined;
  if (body === undefined) throw new TypeError(`${what} is nothing that JSON can hold`);
  const bytes = Buffer.from(body);
  if (bytes.length > maxBytes)
    throw new TypeError(`${what} has ${bytes.length} bytes; at most ${maxBytes} are accepted`);
  try {
    readJson(bytes);
  } catch (cause) {
    if (!(cause instanceof BadJson)) throw cause;
    throw new TypeError(`${what}: ${cause.message}`, { cause });
  }
  return body;
}

function eventFault({ message, details = [] }: SchemaProblem): string {
  return [message, ...details.map(({ path, message: why }) => `${path}: ${why}`)].join("; ");
}

/** A handler that does not await what it asked for loses its error, and not the whole worker. */
function handled<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** I9. Deterministic, so that a resend is the same event; hashed, so that it is a job id for the consumer. */
function eventId(job: ReceivedJob, type: string, index: number): string {
  return `ev-${digest(`${job.engine}\n${job.id}\n${type}\n${index}`)}`;
}
