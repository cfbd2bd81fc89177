/** Publishes with confirms: bounded in flight, mandatory, again after a reconnect, and never for ever. */
import type { AMQPChannel, AMQPMessage, AMQPProperties } from "@cloudamqp/amqp-client";
import { HEADERS } from "../wire/headers.ts";
import { isNack, plain } from "./amqp-client-insides.ts";
import { type BrokerErrorCode, BrokerUnavailable, ClientClosed, Unroutable } from "./errors.ts";
import type { Link, Report } from "./link.ts";
import { PublishChannel, type Reopening } from "./publish-channel.ts";
import { type Refusal, refusalOf, SizeLimit } from "./refusal.ts";

const SWEEP_MS = 200;
/** While confirms are overdue the channel is replaced no more often: a broker that is only slow gains nothing. */
const REPLACE_EVERY_MS = 30_000;

export interface Outgoing {
  exchange: string;
  routingKey: string;
  body: string;
  properties: AMQPProperties;
}

interface Entry {
  message: Outgoing;
  resolve(): void;
  reject(error: unknown): void;
  queuedAt: number;
  /** When it was first written to a socket. */
  writtenAt: number | undefined;
  /** The broker may have it: it was written, and neither confirmed nor known to be refused. */
  maybe: boolean;
  /** `maybe` as it was before the write that is under way. */
  maybeBefore: boolean;
  returned: boolean;
  settled: boolean;
}

export class Publisher {
  readonly #link: Link;
  readonly #options: { maxInFlight: number; timeoutMs: number; report: Report };
  readonly #waiting = new Set<Entry>();
  readonly #inFlight = new Map<string, Entry>();
  /** One of them made the broker close the channel: they go one by one, and so the next time it is known. */
  readonly #suspects = new Set<Entry>();
  readonly #channel: PublishChannel;
  /** Why nothing can be published on a connection that stands; until a publish is confirmed, they go one by one. */
  #refused: { code: BrokerErrorCode; cause: Error } | undefined;
  readonly #limit = new SizeLimit();
  #sequence = 0;
  /** Counts sweeps instead of reading the clock: while the event loop is blocked, nobody can answer. */
  #nowMs = 0;
  /** The last sign that publishing works; while it is fresh, waiting for a turn is no failure. */
  #progressAt = 0;
  /** What had been received at the last sweep that saw it grow, and when that was. */
  #heard = { bytes: 0, at: 0 };
  #sweeper: NodeJS.Timeout | undefined;
  #replacedAt = -REPLACE_EVERY_MS;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(link: Link, options: { maxInFlight: number; timeoutMs: number; report: Report }) {
    this.#link = link;
    this.#options = options;
    this.#channel = new PublishChannel(link, {
      onReturn: (message) => this.#returned(message),
      onClosed: (error) => this.#closedBy(error),
      onOpen: () => this.#pump(),
      onFailed: (error) => this.#refuse("publish_channel_failed", "broker_refused", error),
    });
    link.onUnblocked(() => this.#pump());
  }

  /** Calls `listener` after each reconnect, and whenever what was confirmed may be lost. */
  onReady(listener: () => void): void {
    this.#channel.onReady(listener);
  }

  /**
   * Resolves once the broker has confirmed it. Rejects with {@link Unroutable}, with
   * InvalidArgument when the broker never takes a body so large, with {@link BrokerUnavailable}
   * when it refuses it or nothing was confirmed for `timeoutMs`, or with the signal's reason. A
   * connection that is lost meanwhile is waited for, within the same time.
   */
  publish(message: Outgoing, signal?: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(new ClientClosed());
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => settle(() => reject(signal?.reason));
    const settle = (how: () => void) => {
      entry.settled = true;
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(entry);
      this.#suspects.delete(entry);
      how();
      this.#checkIdle();
    };
    const entry: Entry = {
      message,
      resolve: () => settle(resolve),
      reject: (error) => settle(() => reject(error)),
      queuedAt: this.#nowMs,
      writtenAt: undefined,
      maybe: false,
      maybeBefore: false,
      returned: false,
      settled: false,
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(entry);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
    this.#pump();
    return promise;
  }

  /** Takes no more, and waits up to `graceMs` for what is under way. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    if (this.#busy && this.#link.connection) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, graceMs);
      this.#onIdle = resolve;
      await promise;
      clearTimeout(timer);
    }
    for (const entry of [...this.#waiting, ...this.#inFlight.values()])
      entry.reject(new ClientClosed());
    this.#inFlight.clear();
    this.#channel.close();
    clearInterval(this.#sweeper);
  }

  get #busy(): boolean {
    return this.#waiting.size + this.#inFlight.size > 0;
  }

  #checkIdle(): void {
    if (!this.#busy) this.#onIdle?.();
  }

  #pump(): void {
    const channel = this.#channel.current;
    if (!channel) return;
    const isCautious = this.#refused !== undefined || this.#suspects.size > 0;
    const maxInFlight = isCautious ? 1 : this.#options.maxInFlight;
    for (const entry of this.#suspects.size > 0 ? this.#suspects : this.#waiting) {
      if (this.#inFlight.size >= maxInFlight || this.#link.blocked !== undefined) return;
      if (!this.#isTooLarge(entry)) this.#write(entry, channel);
    }
  }

  #write(entry: Entry, channel: AMQPChannel): void {
    const { exchange, routingKey, body, properties } = entry.message;
    const key = String(++this.#sequence);
    const headers = { ...properties.headers, [HEADERS.publish]: key };
    this.#waiting.delete(entry);
    this.#inFlight.set(key, entry);
    entry.returned = false;
    entry.writtenAt ??= this.#nowMs;
    entry.maybeBefore = entry.maybe;
    entry.maybe = true;
    channel.basicPublish(exchange, routingKey, body, { ...properties, headers }, true).then(
      () => this.#confirmed(key, entry),
      (error) => this.#failed(key, entry, error),
    );
  }

  #confirmed(key: string, entry: Entry): void {
    this.#progressAt = this.#nowMs;
    this.#refused = undefined;
    this.#channel.works();
    this.#inFlight.delete(key);
    const { exchange, routingKey } = entry.message;
    if (entry.returned) entry.reject(new Unroutable(exchange, routingKey));
    else entry.resolve();
    this.#pump();
  }

  /** What fails by itself, its channel standing. */
  #failed(key: string, entry: Entry, error: unknown): void {
    if (!this.#inFlight.delete(key)) return;
    if (entry.settled) this.#checkIdle();
    else if (isNack(error)) this.#rejectRefused(entry, "broker_refused", plain(error));
    else if (this.#link.blocked !== undefined || !this.#channel.current) this.#waiting.add(entry);
    else entry.reject(plain(error)); // The library can't encode it.
    this.#pump();
  }

  /** The channel went, with the connection or by the broker's will: some can never go, the others go again. */
  #closedBy(error: Error): void {
    const entries = [...this.#inFlight.values()].filter(({ settled }) => !settled);
    const isAlone = this.#inFlight.size === 1;
    this.#inFlight.clear();
    const refusal = refusalOf(error);
    for (const entry of entries) {
      this.#waiting.add(entry);
      // Of several, those before the one that was refused may have been taken.
      if (refusal && isAlone) entry.maybe = entry.maybeBefore;
    }
    this.#checkIdle(); // Of those that nobody awaited any more.
    if (refusal) this.#channel.reopen(this.#judge(refusal, entries, isAlone, error));
  }

  /** Ends what can never go; says when the rest may try again. */
  #judge(refusal: Refusal, entries: Entry[], isAlone: boolean, error: Error): Reopening {
    switch (refusal.kind) {
      case "topology_missing":
      case "access_refused":
        for (const entry of entries) this.#rejectRefused(entry, refusal.kind, error);
        return "soon";
      case "no_space":
        this.#refuse("publish_refused", "broker_blocked", error);
        return "later";
      case "too_large":
        this.#limit.learn(refusal.limitBytes);
        if (entries.filter((entry) => this.#isTooLarge(entry)).length > 0) return "now";
        break;
      case "unknown":
        break;
    }
    if (isAlone) for (const entry of entries) this.#rejectRefused(entry, "broker_refused", error);
    else for (const entry of entries) this.#suspects.add(entry);
    return "later";
  }

  /** Told once, until a publish is confirmed. */
  #refuse(event: string, code: BrokerErrorCode, cause: Error): void {
    if (!this.#refused) this.#options.report(event, cause);
    this.#refused = { code, cause };
  }

  #rejectRefused(entry: Entry, code: BrokerErrorCode, cause: Error): void {
    entry.reject(new BrokerUnavailable(code, entry.maybeBefore, { cause }));
  }

  /** Rejects it, too. */
  #isTooLarge(entry: Entry): boolean {
    const error = this.#limit.refusal(entry.message.body);
    if (error) entry.reject(error);
    return error !== undefined;
  }

  #unavailable(maybeAccepted: boolean): BrokerUnavailable {
    if (!this.#refused || !this.#link.connection || this.#link.blocked !== undefined)
      return this.#link.unavailable(maybeAccepted);
    const { code, cause } = this.#refused;
    return new BrokerUnavailable(code, maybeAccepted, { cause });
  }

  /** `basic.return` comes before the confirm and carries no tag: our header names the publish. */
  #returned(message: AMQPMessage): void {
    const key = message.properties.headers?.[HEADERS.publish];
    const entry = this.#inFlight.get(String(key));
    if (entry) entry.returned = true;
  }

  /**
   * The broker answers, but left a publish unconfirmed: RabbitMQ's channel can lose track of a queue that was
   * deleted and declared again. What is in flight goes out once more, on a new channel.
   */
  #replaceChannel(): void {
    if (this.#closed || !this.#channel.current) return;
    if (this.#nowMs - this.#replacedAt < REPLACE_EVERY_MS) return;
    this.#replacedAt = this.#nowMs;
    // The library forgets what is unconfirmed on a channel that we close ourselves.
    for (const entry of this.#inFlight.values()) if (!entry.settled) this.#waiting.add(entry);
    this.#inFlight.clear();
    this.#options.report("confirms_overdue");
    this.#channel.replace();
  }

  #sweep(): void {
    const { timeoutMs } = this.#options;
    this.#nowMs += SWEEP_MS;
    const oldest = this.#nowMs - timeoutMs;
    const { connection } = this.#link;
    const bytes = connection?.bytesRead ?? 0;
    if (bytes !== this.#heard.bytes) this.#heard = { bytes, at: this.#nowMs };
    let isOverdue = false;
    for (const [key, entry] of this.#inFlight) {
      if ((entry.writtenAt as number) > oldest) continue;
      this.#inFlight.delete(key);
      isOverdue = true;
      entry.reject(this.#unavailable(true));
    }
    // An answer to something earlier may still have come in after the write: that is no sign of life now.
    const isSilent = this.#nowMs - this.#heard.at >= timeoutMs / 2;
    if (isOverdue && connection && connection.blocked === undefined) {
      if (isSilent)
        connection.destroy(new Error("half-open: nothing received while confirms were due"));
      else this.#replaceChannel();
    }
    for (const entry of this.#waiting) {
      const since = entry.writtenAt ?? Math.max(entry.queuedAt, this.#progressAt);
      if (since <= oldest) entry.reject(this.#unavailable(entry.maybe));
    }
    if (!this.#busy) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }
}
