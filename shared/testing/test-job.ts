/** A job for the unit test of an engine: the handler is called with it, and what it did is read from it. */
import { randomUUID } from "node:crypto";
import { type Logger, pino } from "pino";
import type { z } from "zod";
import type {
  Action,
  Batch,
  BatchItem,
  EventSchemas,
  Job,
  LaterOptions,
  Tx,
} from "../engine/define-worker.ts";
import { Aborted, JobContext, type Tools } from "../job/job-context.ts";
import type { ReceivedJob } from "../job/receive.ts";

/** What the handler is to find; what it asks for and was not given throws, and says so. */
export interface TestJobOptions {
  /** Default: a random one. */
  id?: string;
  /** The counted run. Default 1. */
  attempt?: number;
  /** The broker user whose job it is. Default: nobody's. */
  publisher?: string;
  /** Default: none. It aborts nothing: a test says when with {@link TestJob.abort}. */
  deadline?: Date;
  /** What `job.tx()` gives, such as a client within `begin`. */
  tx?: Tx;
  db?: Job["db"];
  redis?: Job["redis"];
  /** What `job.files` works with: a bucket, and rows that `db` writes. */
  files?: Tools["files"];
  /** Default `test:engine:`. */
  keyPrefix?: string;
  /** The engine's own variables. Default: none. */
  env?: Readonly<Record<string, unknown>>;
  /** Default: a silent one. */
  log?: Logger;
}

/** A job of the engine's own that was asked for, for later. */
export interface Later {
  action: string;
  input: unknown;
  id: string;
  runAt: Date;
}

/** An event as it would be announced, had the result committed. */
export interface Emitted<Emits extends EventSchemas = EventSchemas> {
  type: keyof Emits & string;
  /** As its schema gives it out. */
  data: unknown;
}

export interface Progress {
  fraction: number;
  note: string | undefined;
}

export interface TestJob<Emits extends EventSchemas = EventSchemas> extends Job<Emits> {
  /** What the handler announced, in order. Undeclared types and bad data throw, as in a worker. */
  readonly emitted: Emitted<Emits>[];
  /** The jobs for later that the handler asked for, in order; their inputs are unchecked here. */
  readonly kept: Later[];
  /** What it reported, in order. */
  readonly reported: Progress[];
  /** Aborts `job.signal`, as a worker does; `job.signal.reason.why` says which it was. */
  abort(why?: Aborted["why"]): void;
}

/** @param action whose handler is to be called. */
export function testJob<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas,
>(action: Action<Input, Output, Emits>, options: TestJobOptions = {}): TestJob<Emits> {
  return new RecordedJob(action as Action, options) as unknown as TestJob<Emits>;
}

/**
 * Runs `handle` as a worker would: the input goes through its schema first, and the output through its own.
 * Rejects with what the handler throws, and with zod's error where a schema refuses.
 */
export async function runAction<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas,
>(
  action: Action<Input, Output, Emits>,
  input: z.input<Input>,
  options: TestJobOptions = {},
): Promise<{ output: z.output<Output>; job: TestJob<Emits> }> {
  if (action.handle === undefined)
    throw new TypeError("the action has no handle: use runBatch for one with handleBatch");
  const job = testJob(action, options);
  const output = await action.handle(action.input.parse(input), job);
  return { output: action.output.parse(output), job };
}

/** The same for `handleBatch`, with many inputs in one transaction: give a `tx`. */
export async function runBatch<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Emits extends EventSchemas,
>(
  action: Action<Input, Output, Emits>,
  inputs: readonly z.input<Input>[],
  options: Omit<TestJobOptions, "id"> = {},
): Promise<{ outputs: z.output<Output>[]; jobs: TestJob<Emits>[] }> {
  if (action.handleBatch === undefined)
    throw new TypeError("the action has no handleBatch: use runAction for one with handle");
  const jobs = inputs.map(() => testJob(action, options));
  const items = jobs.map(
    (job, i): BatchItem<z.output<Input>, Emits> => ({
      id: job.id,
      attempt: job.attempt,
      publisher: job.publisher,
      deadline: job.deadline,
      input: action.input.parse(inputs[i]),
      emit: (type, data) => job.emit(type, data),
      get files() {
        return job.files;
      },
      later: (name, input, when) => job.later(name, input, when),
    }),
  );
  const outputs = await action.handleBatch(items, batchOf(options));
  if (outputs.length !== inputs.length)
    throw new TypeError(`handleBatch returned ${outputs.length} outputs for ${inputs.length} jobs`);
  return { outputs: outputs.map((output) => action.output.parse(output)), jobs };
}

/** The worker's own context, so that it refuses what a worker refuses. */
class RecordedJob extends JobContext {
  readonly reported: Progress[] = [];
  readonly kept: Later[] = [];

  constructor(action: Action, options: TestJobOptions) {
    const { id = `test-${randomUUID()}`, attempt = 1, publisher, deadline } = options;
    const job = {
      ...{ kind: "job", engine: "test", type: "test", actionName: "the action", action },
      ...{ id, attempt, publisher, deadline: deadline?.getTime() },
    };
    super(job as unknown as ReceivedJob, toolsOf(options));
  }

  get emitted(): Emitted[] {
    return this.events.map(({ type, body }) => ({ type, data: JSON.parse(body) }));
  }

  override later(action: string, input: unknown, { id, runAt }: LaterOptions): void {
    this.kept.push({ action, input, id, runAt });
  }

  override progress(fraction: number, note?: string): void {
    super.progress(fraction, note);
    const told = JSON.parse(this.latestProgress) as Progress;
    this.reported.push({ fraction: told.fraction, note: told.note });
  }

  override abort(why: Aborted | Aborted["why"] = "cancelled"): void {
    super.abort(why instanceof Aborted ? why : new Aborted(why, `${why}, says the test`));
  }
}

function toolsOf(options: TestJobOptions): Tools {
  const { keyPrefix = "test:engine:", env = {}, log = pino({ level: "silent" }) } = options;
  return {
    definition: { name: "test", actions: {} },
    log,
    keyPrefix,
    env,
    files: options.files,
    get redis() {
      return given(options.redis, "redis");
    },
    connections: {
      begin: async () => ({ tx: given(options.tx, "tx"), lost: () => false, release() {} }),
      query: async (args) => given(options.db, "db").query(...(args as [string])),
    },
    timeoutMs: 0,
    onFirstReport() {},
    hasTransactions: true,
  };
}

function batchOf(options: TestJobOptions): Batch {
  const { log, keyPrefix, env } = toolsOf(options);
  return {
    ...{ log, keyPrefix, env, signal: new AbortController().signal },
    get tx() {
      return given(options.tx, "tx");
    },
    get db() {
      return given(options.db, "db");
    },
    get redis() {
      return given(options.redis, "redis");
    },
  };
}

function given<Part>(part: Part | undefined, name: string): Part {
  if (part !== undefined) return part;
  throw new TypeError(`the handler asks for ${name}: give the test's job one, as { ${name} }`);
}
