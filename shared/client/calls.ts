/** Calls that await their reply: a private reply queue, a timer each, and republishing after a reconnect. */
import { randomUUID } from "node:crypto";
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import { brokerCode } from "./amqp-client-insides.ts";
import { Consumer } from "./consumer.ts";
import {
  BrokerUnavailable,
  CallTimeout,
  Cancelled,
  ClientClosed,
  EngineError,
  JobFailed,
  type JobIdentity,
} from "./errors.ts";
import type { Job } from "./job.ts";
import type { Link, Report } from "./link.ts";
import type { Publisher } from "./publisher.ts";
import { bindReplies, readBody } from "./replies.ts";

/** How long the broker keeps the reply queue of a caller that is gone. */
const QUEUE_EXPIRES_MS = 600_000;
const RESEND_DELAY_MS = 50;

interface Pending {
  job: Job;
  resolve(output: unknown): void;
  reject(error: unknown): void;
  /** A publish is under way, and sees to reconnects by itself. */
  publishing: boolean;
  /** A worker may have it: from then on only its reply, its timer or the caller ends the call. */
  sent: boolean;
  /** Ends with the call, and ends its publish. */
  ended: AbortController;
}

interface CallOptions {
  appId: string;
  replyExchange: string | undefined;
  publishTimeoutMs: number;
  report: Report;
}

export class Calls {
  readonly #publisher: Publisher;
  readonly #consumer: Consumer;
  readonly #options: CallOptions;
  /** By correlation id, which is unique to the call: two may await the same job. */
  readonly #pending = new Map<string, Pending>();
  #queue: string;
  #queueChannel: AMQPChannel | undefined;
  #resend: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(consumeLink: Link, publisher: Publisher, options: CallOptions) {
    this.#publisher = publisher;
    this.#options = options;
    this.#queue = this.#newName();
    this.#consumer = new Consumer(consumeLink, {
      declare: (channel) => this.#declare(channel),
      onMessage: (message) => this.#settle(message),
      prefetch: 0,
      report: options.report,
    });
    this.#consumer.onReady(() => this.#resendSoon());
    publisher.onReady(() => this.#resendSoon());
  }

  /** Publishes the job and awaits its reply for `timeoutMs`; settles in any case. */
  async call(job: Job, timeoutMs: number, signal?: AbortSignal): Promise<unknown> {
    if (this.#closed) throw new ClientClosed();
    signal?.throwIfAborted();
    const correlationId = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ended = new AbortController();
    const pending: Pending = { job, resolve, reject, publishing: false, sent: false, ended };
    const timer = setTimeout(() => reject(new CallTimeout(identity(job), timeoutMs)), timeoutMs);
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#pending.set(correlationId, pending);
    void this.#publish(correlationId, pending);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(correlationId);
      ended.abort(new ClientClosed());
    }
  }

  /** Publishes every pending call again, under the same id. Resolves with their ids. */
  async resend(): Promise<string[]> {
    const idle = [...this.#pending].filter(([, { publishing }]) => !publishing);
    await Promise.all(idle.map((entry) => this.#publish(...entry)));
    return idle.map(([, { job }]) => job.id);
  }

  /** Rejects every pending call and removes the reply queue. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#resend);
    for (const { reject } of this.#pending.values()) reject(new ClientClosed());
    await this.#consumer.close();
    const channel = this.#queueChannel;
    if (channel && !channel.closed) await channel.queueDelete(this.#queue).catch(() => {});
  }

  #newName(): string {
    return `${this.#options.appId}.replies.${randomUUID()}`;
  }

  async #declare(channel: AMQPChannel): Promise<string> {
    this.#queueChannel = channel;
    // Durable, so that replies wait through a broker restart; needs no ack, so it costs no disk.
    const args = { "x-queue-type": "classic", "x-expires": QUEUE_EXPIRES_MS };
    try {
      await channel.queueDeclare(this.#queue, { durable: true, autoDelete: false }, args);
    } catch (error) {
      if (brokerCode(error) !== 0) this.#queue = this.#newName();
      throw error;
    }
    await bindReplies(channel, this.#queue, this.#options.replyExchange);
    return this.#queue;
  }

  async #publish(correlationId: string, pending: Pending): Promise<void> {
    pending.publishing = true;
    const { job, ended } = pending;
    try {
      const replyTo = await this.#consumer.ready(this.#options.publishTimeoutMs);
      const properties = { ...job.message.properties, replyTo, correlationId };
      await this.#publisher.publish({ ...job.message, properties }, ended.signal);
      pending.sent = true;
    } catch (error) {
      const unavailable = error instanceof BrokerUnavailable;
      if (unavailable && error.maybeAccepted) pending.sent = true;
      if (!unavailable || !pending.sent) pending.reject(error);
    } finally {
      pending.publishing = false;
    }
  }

  #settle(message: AMQPMessage): void {
    const { correlationId } = message.properties;
    if (!correlationId)
      this.#options.report("unreadable_message", new Error("a reply without correlation id"));
    // A second reply finds nobody waiting.
    const pending = this.#pending.get(correlationId ?? "");
    if (!pending) return;
    const { job, resolve, reject } = pending;
    const reply = readBody(message);
    if (!reply)
      reject(new EngineError("unreadable_reply", `the reply to job ${job.id} is no reply`));
    else if (reply.status === "succeeded") resolve(reply.output);
    else if (reply.error.code === "cancelled") reject(new Cancelled(identity(job), reply.error));
    else reject(new JobFailed(identity(job), reply.error));
  }

  /** What was confirmed before the break may have been lost with it, and its reply too. */
  #resendSoon(): void {
    if (this.#closed) return;
    // At the first connection nothing has been sent yet, so nothing can be lost.
    if (![...this.#pending.values()].some(({ sent }) => sent)) return;
    this.#resend ??= setTimeout(() => {
      this.#resend = undefined;
      void this.resend();
    }, RESEND_DELAY_MS);
  }
}

/** What an error may carry of a job: never its payload. */
function identity({ engine, id }: Job): JobIdentity {
  return { engine, id };
}
