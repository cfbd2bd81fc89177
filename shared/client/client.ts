/** The caller's client: publishes jobs, awaits replies, reads results, progress and events, cancels. */
import { Calls } from "./calls.ts";
import { Claims } from "./claims.ts";
import { CONTRACT, type Engines, type Events } from "./contract.ts";
import type { ActionName, Contract, EngineName, InputOf, OutputOf } from "./contract-of.ts";
import { ClientClosed, InvalidArgument, NotConfigured } from "./errors.ts";
import { type EngineEvent, type EventOptions, subscribe } from "./events.ts";
import { ClientFiles } from "./files.ts";
import { fleetCheck } from "./fleet-check.ts";
import { buildJob, checkEngine, checkJobId, checkShortString, type JobOptions } from "./job.ts";
import { Link } from "./link.ts";
import type { OnceConsumer } from "./once-consumer.ts";
import { type ConnectOptions, readOptions, type Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { checkReplyTo, type JobReply, subscribeReplies } from "./replies.ts";
import { type JobResult, Results } from "./results.ts";
import { type JobStatus, readStatus } from "./status.ts";

const CALL_TIMEOUT_MS = 30_000;
const CLOSE_GRACE_MS = 5_000;
const DEFAULT_CONCURRENCY = 32;
/** The longest delay that a timer can hold. */
const MAX_TIMEOUT_MS = 2_147_483_647;

export interface SendOptions extends JobOptions {
  /**
   * Queue for the reply, named `*.replies`, `*.replies.*` or by the broker. Default: the client's replyQueue if it has
   * one; null: no reply.
   */
  replyTo?: string | null;
  /** Echoed in the reply. Default: the job id. */
  correlationId?: string;
  /** Sets the deadline to this many ms from now. */
  timeoutMs?: number;
}

export interface CallOptions extends JobOptions {
  /** How long to await the reply. Default 30,000 ms. The job's deadline, unless one is given. */
  timeoutMs?: number;
}

/** A job that was sent earlier, as the caller has kept it. */
export interface SentJob<Engines> {
  engine: EngineName<Engines>;
  action: string;
  input: unknown;
  id: string;
  options?: Omit<SendOptions, "id">;
}

/** What ends a subscription; running handlers get 5 s to finish. */
export interface Subscription {
  close(): Promise<void>;
}

type EventOf<KnownEvents, Pattern extends string> = Pattern extends keyof KnownEvents
  ? EngineEvent<Pattern, KnownEvents[Pattern]>
  : EngineEvent;

/** Made by {@link connect}. */
export class EngineClient<KnownEngines, KnownEvents> {
  readonly #settings: Settings;
  readonly #publishLink: Link;
  readonly #publisher: Publisher;
  readonly #checkFleet: () => Promise<void>;
  /** Inputs and outputs that are too large for a message. Needs `s3` in `connect`. */
  readonly files: ClientFiles;
  readonly #subscriptions = new Set<Subscription>();
  #consumeLink: Link | undefined;
  #calls: Calls | undefined;
  #results: Promise<Results> | undefined;
  #claims: Promise<Claims> | undefined;
  #closed = false;

  /** @internal Use {@link connect}. */
  constructor(settings: Settings, publishLink: Link, publisher: Publisher) {
    this.#settings = settings;
    this.files = new ClientFiles(settings.s3, settings.names.prefix);
    this.#publishLink = publishLink;
    this.#publisher = publisher;
    this.#checkFleet = fleetCheck(publishLink, settings.names);
  }

  /**
   * Publishes a job; resolves once the broker has confirmed it, that is, keeps it.
   * Rejects with InvalidArgument (nothing was published), Unroutable, BrokerUnavailable within 5 s,
   * ClientClosed, or the signal's reason. Sending again under the same id is always safe.
   */
  async send<
    Engine extends EngineName<KnownEngines>,
    Action extends ActionName<KnownEngines, Engine>,
  >(
    engine: Engine,
    action: Action,
    input: InputOf<KnownEngines, Engine, Action>,
    options: SendOptions = {},
  ): Promise<{ id: string }> {
    this.#checkOpen();
    const job = this.#job(engine, action, input, options);
    await this.#publisher.publish(job.message, options.signal);
    return { id: job.id };
  }

  /**
   * Publishes a job and awaits its output. Settles within `timeoutMs` in any case. Rejects with
   * JobFailed (with the wire's code), Cancelled, CallTimeout, the signal's reason (the job is
   * cancelled too, given a redisUrl), or as `send` does.
   */
  async call<
    Engine extends EngineName<KnownEngines>,
    Action extends ActionName<KnownEngines, Engine>,
  >(
    engine: Engine,
    action: Action,
    input: InputOf<KnownEngines, Engine, Action>,
    options: CallOptions = {},
  ): Promise<OutputOf<KnownEngines, Engine, Action>> {
    this.#checkOpen();
    const { timeoutMs = CALL_TIMEOUT_MS, signal } = options;
    const job = this.#job(engine, action, input, { ...options, timeoutMs, replyTo: null });
    this.#calls ??= new Calls(this.#consume(), this.#publisher, this.#settings);
    try {
      const output = await this.#calls.call(job, timeoutMs, signal);
      return output as OutputOf<KnownEngines, Engine, Action>;
    } catch (error) {
      if (signal?.aborted && this.#settings.redisUrl !== undefined)
        this.cancel(job.id, engine).catch((cause) => this.#settings.report("cancel_failed", cause));
      throw error;
    }
  }

  /**
   * Reads the durable reply queue. A reply is acknowledged once the handler resolves, and handed to
   * it again, later and later, while it throws. Copies of a reply are dropped, within this process:
   * after a restart one may come again, with the same messageId.
   */
  async onReply(
    handler: (reply: JobReply) => void | Promise<void>,
    options: { concurrency?: number } = {},
  ): Promise<Subscription> {
    const { replyQueue, replyExchange, report } = this.#settings;
    if (replyQueue === undefined) throw new NotConfigured("onReply", "replyQueue");
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    const link = this.#consume();
    const reading = { replyExchange, concurrency, report };
    return this.#keep(subscribeReplies(link, replyQueue, handler, reading));
  }

  /**
   * Reads events whose type fits a pattern (`activity.recorded`, `activity.*`, `#`). Acknowledged and
   * repeated as in {@link onReply}.
   */
  async events<Pattern extends string>(
    patterns: Pattern | readonly Pattern[],
    handler: (event: EventOf<KnownEvents, Pattern>) => void | Promise<void>,
    options: EventOptions = {},
  ): Promise<Subscription> {
    const { names, report } = this.#settings;
    const { concurrency = DEFAULT_CONCURRENCY, queue } = options;
    if (queue?.startsWith(`${names.prefix}.`))
      throw new InvalidArgument("invalid_option", `events: ${queue} is a name of the engines' own`);
    const keys = typeof patterns === "string" ? [patterns] : patterns;
    checkShortString("queue", queue);
    for (const key of keys) checkShortString("pattern", key);
    return this.#keep(
      subscribe(this.#consume(), names.events, keys, handler as (event: EngineEvent) => void, {
        concurrency,
        queue,
        report,
      }),
    );
  }

  /**
   * How the job ended; undefined while it has not. Needs `databaseUrl`, with a role that sees this
   * publisher's results: with another it rejects with ResultsHidden.
   */
  async result<Engine extends EngineName<KnownEngines>>(
    id: string,
    engine: Engine,
  ): Promise<
    JobResult<OutputOf<KnownEngines, Engine, ActionName<KnownEngines, Engine>>> | undefined
  > {
    this.#checkJob(id, engine);
    const result = await (await this.#openResults("result")).get(engine, id);
    type Output = OutputOf<KnownEngines, Engine, ActionName<KnownEngines, Engine>>;
    return result as JobResult<Output> | undefined;
  }

  /**
   * How the job stands, with progress. Needs `redisUrl` or `databaseUrl`; knows most with both. Rejects with
   * BrokerUnavailable (`topology_missing`) where no fleet has the client's prefix.
   */
  async status(id: string, engine: EngineName<KnownEngines>): Promise<JobStatus> {
    this.#checkJob(id, engine);
    const { databaseUrl, redisUrl } = this.#settings;
    if (databaseUrl === undefined && redisUrl === undefined)
      throw new NotConfigured("status", "redisUrl", "REDIS_URL");
    await this.#checkFleet();
    const claims = redisUrl === undefined ? undefined : await this.#openClaims("status");
    const results = databaseUrl === undefined ? undefined : await this.#openResults("status");
    return readStatus(id, engine, claims, results);
  }

  /**
   * Asks for the job's end: one that runs is aborted, one that waits ends unrun, both as `cancelled`.
   * `requested` is false when it had ended already. Needs `redisUrl`. Rejects as {@link status} does.
   */
  async cancel(id: string, engine: EngineName<KnownEngines>): Promise<{ requested: boolean }> {
    this.#checkJob(id, engine);
    const claims = await this.#openClaims("cancel");
    await this.#checkFleet();
    return claims.cancel(engine, id);
  }

  /**
   * Publishes again, under the same ids, what has no answer: without an argument, this client's
   * pending calls (which also happens by itself after a reconnect); else those of the given jobs that
   * have no result (without a `databaseUrl`, all of them). Resolves with the ids.
   */
  async resendUnanswered(jobs?: Iterable<SentJob<KnownEngines>>): Promise<string[]> {
    this.#checkOpen();
    if (!jobs) return (await this.#calls?.resend()) ?? [];
    const unanswered = await this.#withoutResult([...jobs]);
    const resent = unanswered.map(({ engine, action, input, id, options }) =>
      this.#publisher.publish(this.#job(engine, action, input, { ...options, id }).message),
    );
    await Promise.all(resent);
    return unanswered.map(({ id }) => id);
  }

  /**
   * Rejects pending calls with ClientClosed, awaits pending confirms and running handlers for up to
   * 5 s, then closes all connections.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ended = Promise.allSettled([
      this.#calls?.close(),
      this.#publisher.close(CLOSE_GRACE_MS),
      ...[...this.#subscriptions].map((subscription) => subscription.close()),
    ]);
    // Some of it asks the broker, which may answer nothing any more.
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_GRACE_MS);
    await Promise.race([ended, late.promise]);
    clearTimeout(timer);
    await Promise.allSettled([
      this.#publishLink.close(),
      this.#consumeLink?.close(),
      this.#results?.then((results) => results.close()),
      this.#claims?.then((claims) => claims.close()),
      this.files.close(),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #job(engine: string, action: string, input: unknown, options: SendOptions) {
    const { replyTo = this.#settings.replyQueue, timeoutMs, deadline, ...rest } = options;
    if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
      throw new InvalidArgument("invalid_option", `timeoutMs must be from 1 to ${MAX_TIMEOUT_MS}`);
    if (replyTo !== null && replyTo !== undefined)
      checkReplyTo(replyTo, this.#settings.names.prefix);
    const until = deadline ?? (timeoutMs === undefined ? undefined : Date.now() + timeoutMs);
    return buildJob(this.#settings, engine, action, input, {
      ...rest,
      ...(until !== undefined && { deadline: until }),
      ...(replyTo !== null && replyTo !== undefined && { replyTo }),
    });
  }

  async #withoutResult(jobs: SentJob<KnownEngines>[]): Promise<SentJob<KnownEngines>[]> {
    if (this.#settings.databaseUrl === undefined) return jobs;
    const results = await this.#openResults("resendUnanswered");
    const byEngine = Map.groupBy(jobs, (job) => job.engine);
    const left: SentJob<KnownEngines>[] = [];
    for (const [engine, group] of byEngine) {
      const ended = await results.having(
        engine,
        group.map(({ id }) => id),
      );
      left.push(...group.filter(({ id }) => !ended.has(id)));
    }
    return left;
  }

  #consume(): Link {
    this.#checkOpen();
    this.#consumeLink ??= startConsumeLink(this.#settings);
    return this.#consumeLink;
  }

  /** Resolves once the subscription stands. */
  async #keep<Message>(consumer: OnceConsumer<Message>): Promise<Subscription> {
    const subscription = {
      close: async () => {
        this.#subscriptions.delete(subscription);
        await consumer.close(CLOSE_GRACE_MS);
      },
    };
    this.#subscriptions.add(subscription);
    try {
      await consumer.consumer.ready(this.#settings.publishTimeoutMs);
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  #openResults(what: string): Promise<Results> {
    const { databaseUrl, publisher, report } = this.#settings;
    if (databaseUrl === undefined) throw new NotConfigured(what, "databaseUrl", "DATABASE_URL");
    this.#results ??= Results.open(databaseUrl, publisher, (error) => report("database", error));
    return this.#results;
  }

  #openClaims(what: string): Promise<Claims> {
    const { redisUrl, names, publisher, report } = this.#settings;
    if (redisUrl === undefined) throw new NotConfigured(what, "redisUrl", "REDIS_URL");
    this.#claims ??= Claims.open(redisUrl, { prefix: names.prefix, publisher }, (error) =>
      report("redis", error),
    );
    return this.#claims;
  }

  #checkJob(id: string, engine: string): void {
    this.#checkOpen();
    checkJobId(id);
    checkEngine(this.#settings.contract, engine);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClientClosed();
  }
}

function newLink(settings: Settings, role: string): Link {
  const { amqpUrl, appId, publishTimeoutMs, report } = settings;
  return new Link({
    amqpUrl,
    name: `${appId} ${role}`,
    connectTimeoutMs: publishTimeoutMs,
    report,
  });
}

/** A second connection: a broker in need blocks the one that publishes, and replies must still arrive. */
function startConsumeLink(settings: Settings): Link {
  const link = newLink(settings, "consume");
  link.startSoon();
  return link;
}

/**
 * Connects within 5 s, or rejects with BrokerUnavailable; from then on the connection is kept up.
 * The contract, by default that of the published engines, gives the names and the types.
 */
export async function connect<KnownEngines = Engines, KnownEvents = Events>(
  options: ConnectOptions & { contract?: Contract<KnownEngines, KnownEvents> },
): Promise<EngineClient<KnownEngines, KnownEvents>> {
  const settings = readOptions(options, options.contract ?? CONTRACT);
  const { maxInFlight, publishTimeoutMs: timeoutMs, report } = settings;
  const link = newLink(settings, "publish");
  const publisher = new Publisher(link, { maxInFlight, timeoutMs, report });
  await link.start();
  return new EngineClient<KnownEngines, KnownEvents>(settings, link, publisher);
}
