/** What a worker is: data that names its actions. Importing a definition does nothing. */
import type { Redis, RedisOptions } from "ioredis";
import type { PoolClient } from "pg";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { z } from "zod";
import type { Published } from "../broker/publish.ts";
import type { Files, FilesOptions } from "../files/files.ts";
import type { Lane } from "../wire/names.ts";
import { checkDefinition } from "./check-definition.ts";
import type { CatchUp, Schedule, ScheduleKeys } from "./schedule.ts";

/** A map of event type to the schema of its body. */
export type EventSchemas = Record<string, z.ZodType>;

/** The event types that an action declares; none where it has no `emits`. */
type Declared<Emits extends EventSchemas> = string extends keyof Emits
  ? never
  : keyof Emits & string;

/** A Postgres client inside the transaction that the result commits in. */
export type Tx = Pick<PoolClient, "query">;

/** What a handler is given beside its input. */
export interface Job<Emits extends EventSchemas = EventSchemas> {
  /** The idempotency key; pass it on to external calls. */
  readonly id: string;
  /** The counted run, from 1. */
  readonly attempt: number;
  /** Whose job it is: the broker user that published it, as the broker checked; undefined where its message named none. */
  readonly publisher: string | undefined;
  /** Aborts on timeout, deadline, cancellation, and at the end of the drain. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** When the caller stops waiting; undefined when it never does. */
  readonly deadline: Date | undefined;
  /**
   * Reports progress from 0 to 1, and up to 200 characters, readable by id: the first report within a second, later
   * ones with each heartbeat (every half of LEASE_MS, or somewhat more). A job that ends sooner costs Redis nothing.
   */
  progress(fraction: number, note?: string): void;
  /** Announces an event when, and only when, the result commits. */
  emit<Type extends Declared<Emits>>(type: Type, data: z.input<Emits[Type]>): void;
  /**
   * Has a job of this engine's own run at a time, when, and only when, the result commits. It is the engine's own job:
   * whoever published this one hears nothing of it. A job of the same id that waits takes the new time.
   */
  later(action: string, input: unknown, options: LaterOptions): void;
  /** The transaction that the result commits in, opened on first use. */
  tx(): Promise<Tx>;
  /** Reads outside of that transaction. */
  readonly db: Pick<PoolClient, "query">;
  /**
   * Every key begins with {@link keyPrefix}: the engine's Redis user reaches no other. Throws where the definition
   * does not say `redis: true`.
   */
  readonly redis: Redis;
  /** Files in the bucket. Throws where the definition does not say `files: true`. */
  readonly files: Files;
  /** `<prefix>:<engine>:`; under `claim:` and `cancel:` the runtime keeps its own. */
  readonly keyPrefix: string;
  /** The engine's own variables, as the definition's `env` reads them. */
  // biome-ignore lint/suspicious/noExplicitAny: what the definition's own schema gives
  readonly env: any;
}

/** When and under which name a job is to run. */
export interface LaterOptions {
  /** Job id, unique within the engine: 1 to 128 of `A-Z a-z 0-9 . _ : -`, a letter or digit first. */
  id: string;
  /** At most 366 days ahead; what has passed runs at once. */
  runAt: Date;
}

/** One job of a batch. */
export interface BatchItem<Input, Emits extends EventSchemas = EventSchemas>
  extends Pick<
    Job<Emits>,
    "id" | "attempt" | "publisher" | "emit" | "later" | "deadline" | "files"
  > {
  readonly input: Input;
}

/** What all jobs of a batch share: one transaction, which commits all of their results. */
export interface Batch extends Pick<Job, "signal" | "log" | "db" | "redis" | "keyPrefix" | "env"> {
  readonly tx: Tx;
}

/** A good job, for callers to see and for tools to publish. */
export interface Example {
  /** What it shows, in one sentence. */
  title: string;
  /**
   * The input of the n-th such job, from 0: jobs of a load should differ. What an engine stores is to belong to the
   * workspace given, by which tests find and remove it.
   */
  input(n: number, workspaceId: string): unknown;
}

interface ActionBase<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas,
> {
  /** The N of the message type `<engine>.<action>.v<N>`, a whole number from 1 to 999,999. */
  version: number;
  /** Schemas must be synchronous: what needs to ask somebody is the handler's. */
  input: Input;
  output: Output;
  /** Events that the action may announce; anything else fails to compile. */
  emits?: Emits;
  /**
   * Good jobs, the plainest first, each in a spelling of its own where there are several. The contract shows them,
   * the conformance suite runs them, and `make send EXAMPLE=1` publishes one. At least one for an
   * action that the contract has.
   */
  examples?: readonly Example[];
  /** Ceiling of a job's body in bytes, 1 to 16 MiB, past which it ends as `payload_too_large`. Default 1 MiB. */
  maxInputBytes?: number;
  /** Ceiling of the encoded reply in bytes, 1 to 16 MiB, past which the job ends as `result_too_large`. Default 1 MiB. */
  maxOutputBytes?: number;
}

interface SingleAction<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas,
> extends ActionBase<Input, Output, Emits> {
  /**
   * Runs one job. Return the output; throw to have it retried (counted), throw {@link Reject} to end
   * it at once, or {@link RetryLater} to have it again later (not counted).
   */
  handle(input: z.output<Input>, job: Job<Emits>): z.input<Output> | Promise<z.input<Output>>;
  handleBatch?: never;
}

interface BatchAction<Input extends z.ZodType, Output extends z.ZodType, Emits extends EventSchemas>
  extends ActionBase<Input, Output, Emits> {
  /**
   * Runs many jobs in one transaction; outputs are aligned with the jobs. When it throws, the
   * runtime rolls back and splits the batch until the culprit is alone.
   */
  handleBatch(
    jobs: BatchItem<z.output<Input>, Emits>[],
    batch: Batch,
  ): z.input<Output>[] | Promise<z.input<Output>[]>;
  handle?: never;
}

export type Action<
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  Emits extends EventSchemas = EventSchemas,
> = SingleAction<Input, Output, Emits> | BatchAction<Input, Output, Emits>;

/** Types one action; it returns its argument. */
export function action<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas = EventSchemas,
>(definition: Action<Input, Output, Emits>): Action<Input, Output, Emits> {
  return definition;
}

/** How a worker turns an event that it consumes into one of its own jobs. The event's id is the job id. */
export interface Subscription {
  /** The action that the event runs. */
  action: string;
  /**
   * Maps the event's body, parsed but unchecked, to the action's input, which is then checked. It must be
   * synchronous; what it throws ends the job as `invalid_input`.
   */
  map(event: unknown): unknown;
}

export interface WorkerDefinition {
  /** Engine name: queue, image, log field, metric label. 1 to 40 characters of `a-z 0-9 -`, a letter first. */
  name: string;
  /** Jobs that run at once, 1 to 10,000; also the prefetch, beside that of the bulk lane, unless MAX_PREFETCH is lower. */
  concurrency: number;
  /** Ceiling of one run of a handler, in milliseconds, 100 to 1,500,000; all other timeouts derive from it. */
  timeoutMs: number;
  /** Counted runs of a job that throws, before it ends as `attempts_exhausted`, 1 to 1,000. Default 5; 1: no retry. */
  maxAttempts?: number;
  /**
   * Jobs that hold a transaction (`job.tx()`) at once, 0 to 100; others wait for theirs, which is neither their
   * handler's time nor an attempt. Each needs a connection to Postgres, open only while it is used. Default: 8, or
   * `concurrency` where that is less. 0: none, and `job.tx()` throws. Batches have their own: see `batches`.
   */
  transactions?: number;
  /**
   * Batches that run at once, 1 to 100; others wait for their turn. Each needs a connection to Postgres, open only
   * while it is used. Default, and the most: one for each action that has `handleBatch`.
   */
  batches?: number;
  /**
   * Whether handlers keep anything in Redis (`job.redis`), for which `make rights` then prints the rights. Default
   * false: its user has those of claims alone, and `job.redis` throws.
   */
  redis?: boolean;
  /**
   * Whether handlers keep files (`job.files`), and how large and how long. Without S3_ENDPOINT and its neighbours such
   * an engine does not start. Its package.json names the AWS SDK, which others do without. Default false: `job.files`
   * throws.
   */
  files?: boolean | FilesOptions;
  /**
   * Bytes of all job bodies that a worker holds at once, 1 to 1 GiB; a larger one it takes alone. For an engine whose
   * results are many times their bodies: nothing else bounds the memory of those. Default, and the most: MAX_HELD_BYTES.
   */
  maxHeldBytes?: number;
  /**
   * Environment variables of the engine's own, read at start beside all others and given to handlers and `purge`. Their names begin
   * with the engine's, as in `ANALYTICS_RETENTION_MONTHS`; `describe` says in `.env.example` what each is for. A check of the whole
   * object holds too: what one variable demands of another.
   */
  env?: z.ZodObject;
  /**
   * Takes from the engine's own tables what is past its retention, a small batch at a time. It runs after a job, in a
   * transaction of its own: every ten minutes while there are jobs, and in between every five seconds as long as it
   * returns something, which it is then given as `after`. What it throws is logged, and harms no job. Each worker of
   * the engine runs it, so several may at once.
   */
  // biome-ignore lint/suspicious/noExplicitAny: `env` is what the definition's own schema gives, `after` what it returned
  purge?(tx: Tx, env: any, after: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the actions of one worker differ in their types
  actions: Record<string, Action<any, any, any>>;
  /** Events that the worker consumes, by type. */
  on?: Record<string, Subscription>;
  /**
   * What runs by itself, by name: `sweep` of the engine `files` is the schedule `files.sweep`. `make contract` writes them
   * to manifests/base/engines/scheduler/schedules.json, which the scheduler reads at its start.
   */
  schedules?: Record<string, Schedule>;
  /** Takes the jobs of every engine that are to run later. The scheduler's alone. */
  later?: LaterJobs;
  /**
   * Starts what runs beside the jobs for as long as the worker does, before any is consumed; what it throws keeps the
   * worker from starting. Resolves with what ends it, called first in the drain. The scheduler's clock is one.
   */
  background?(context: BackgroundContext): Promise<() => Promise<void>>;
}

/** How the scheduler keeps a job until its time. */
export interface LaterJobs {
  /** The action that keeps it. */
  action: string;
  /** Makes the action's input, which is then checked. Synchronous. */
  map(held: HeldJob): unknown;
}

/** A job that is published once its time has come: what its caller said of it, checked, and the runtime's counts. */
export interface TargetJob {
  engine: string;
  lane: Lane;
  id: string;
  /** Message type, `<engine>.<action>.v<N>`. */
  type: string;
  /** Its input, as JSON. */
  body: string;
  /** Of replays. Default 0. */
  generation?: number | undefined;
  /** The counted run that is next. Default 1. */
  attempt?: number | undefined;
  /** Default 0. */
  crashes?: number | undefined;
  /** Default 0. */
  returns?: number | undefined;
  /** Whose job it is: a broker user. Default: nobody's. */
  publisher?: string | undefined;
  appId?: string | undefined;
  replyTo?: string | undefined;
  correlationId?: string | undefined;
  /** Epoch ms. */
  deadlineMs?: number | undefined;
  traceparent?: string | undefined;
  /** Its engine is to end it unrun, as `cancelled`. Default false. */
  cancelled?: boolean | undefined;
}

/** A job that came to be kept. */
export interface HeldJob extends TargetJob {
  /** Epoch ms; may have passed. */
  runAtMs: number;
  /** SHA-256 of the input as canonical JSON, by which the same id with another input shows. */
  inputHash: string;
}

/** What a background has in its hands. */
export interface BackgroundContext {
  /** Statements outside of any transaction. */
  readonly db: Pick<PoolClient, "query">;
  /** Runs `work` in a transaction, which commits when it resolves and rolls back when it throws. */
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** A new connection to Redis, closed with the worker's; `options` are ioredis'. */
  openRedis(options?: RedisOptions): Redis;
  /** All that the engine keeps in Redis begins with it. */
  readonly keyPrefix: string;
  /** The engine's own variables. */
  readonly env: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  /** For metrics of its own, which /metrics shows. */
  readonly registry: Registry;
  /** Aborts when the drain is over. */
  readonly signal: AbortSignal;
  /** Publishes a job, confirmed. A job for no engine of the fleet is `routed`: it is kept in `<prefix>.unrouted`. */
  publish(job: TargetJob): Promise<Published>;
  /** Says what is missing, which readiness then shows, or `undefined` when all is well again. */
  report(missing: string | undefined): void;
}

export const DEFAULT_MAX_ATTEMPTS = 5;

/** Keys that are none of `Known` can't be given: no value is a `never`. */
type Only<Given, Known> = { [Key in keyof Given]: Key extends keyof Known ? Given[Key] : never };

/** What a generic parameter lets pass: unknown keys, and subscriptions to actions that are not the worker's own. */
type Strict<Definition extends WorkerDefinition> = Only<Definition, WorkerDefinition> & {
  on?: Record<string, Subscription & { action: keyof Definition["actions"] & string }>;
  schedules?: {
    [Name in keyof Definition["schedules"]]: StrictSchedule<
      Definition["schedules"][Name],
      keyof Definition["actions"] & string
    >;
  };
};

type StrictSchedule<Given, ActionName> = Only<Given, ScheduleKeys> & {
  action: ActionName;
} & (Given extends {
    catchUp: infer Given;
  }
    ? { catchUp: Only<Given, CatchUp> }
    : unknown);

/**
 * Checks a definition and returns it.
 * @throws {TypeError} that says what is wrong and where: unknown keys, names, ranges, asynchronous schemas.
 */
export function defineWorker<const Definition extends WorkerDefinition>(
  definition: Definition & Strict<Definition>,
): Definition {
  checkDefinition(definition);
  return definition;
}
