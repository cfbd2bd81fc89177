/** Publishes with confirms: bounded in flight, mandatory, again after a reconnect, and never for ever. */
import type { AMQPChannel, AMQPMessage, AMQPProperties } from "@cloudamqp/amqp-client";
import { HEADERS } from "../wire/headers.ts";
import { brokerCode, plain } from "./amqp-client-insides.ts";
import type { Connection } from "./connection.ts";
import { BrokerUnavailable, ClientClosed, Unroutable } from "./errors.ts";
import type { Link, Report } from "./link.ts";

const SWEEP_MS = 200;
const REOPEN_DELAY_MS = 250;
/** While confirms are overdue the channel is replaced no more often: a broker that is only slow gains nothing. */
const REPLACE_EVERY_MS = 30_000;
/** Channel errors that trying again won't mend. */
const REFUSALS = { 403: "access_refused", 404: "topology_missing" } as const;

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
  /** When it was first written to a socket; from then on the broker may have it. */
  writtenAt: number | undefined;
  returned: boolean;
  settled: boolean;
}

export class Publisher {
  readonly #link: Link;
  readonly #options: { maxInFlight: number; timeoutMs: number; report: Report };
  readonly #waiting = new Set<Entry>();
  readonly #inFlight = new Map<string, Entry>();
  readonly #readyListeners = new Set<() => void>();
  #channel: AMQPChannel | undefined;
  #opening = false;
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
    link.onUp(() => void this.#open());
    link.onUnblocked(() => this.#pump());
  }

  /** Calls `listener` each time a channel is ready, also after each reconnect. */
  onReady(listener: () => void): void {
    this.#readyListeners.add(listener);
  }

  /**
   * Resolves once the broker has confirmed it. Rejects with {@link Unroutable}, or with
   * {@link BrokerUnavailable} when nothing was confirmed for `timeoutMs`, or with the signal's
   * reason. A connection that is lost meanwhile is waited for, within the same time.
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
      how();
      this.#checkIdle();
    };
    const entry: Entry = {
      message,
      resolve: () => settle(resolve),
      reject: (error) => settle(() => reject(error)),
      queuedAt: this.#nowMs,
      writtenAt: undefined,
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
    clearInterval(this.#sweeper);
  }

  get #busy(): boolean {
    return this.#waiting.size + this.#inFlight.size > 0;
  }

  #checkIdle(): void {
    if (!this.#busy) this.#onIdle?.();
  }

  async #open(): Promise<void> {
    const { connection } = this.#link;
    if (this.#opening || this.#closed || !connection || this.#usable(connection)) return;
    this.#opening = true;
    try {
      const channel = await connection.channel();
      channel.onReturn = (message) => this.#returned(message);
      channel.onerror = () => {};
      await channel.confirmSelect();
      this.#channel = channel;
    } catch (error) {
      this.#options.report("publish_channel_failed", plain(error));
    } finally {
      this.#opening = false;
    }
    if (!this.#usable(this.#link.connection)) return this.#reopenSoon();
    this.#pump();
    for (const listener of this.#readyListeners) listener();
  }

  #usable(connection: Connection | undefined): boolean {
    const channel = this.#channel;
    return channel !== undefined && !channel.closed && channel.connection === connection;
  }

  #reopenSoon(): void {
    if (this.#link.connection && !this.#closed)
      setTimeout(() => void this.#open(), REOPEN_DELAY_MS).unref();
  }

  #pump(): void {
    const { connection } = this.#link;
    if (!connection || !this.#usable(connection)) return;
    for (const entry of this.#waiting) {
      if (this.#inFlight.size >= this.#options.maxInFlight || connection.blocked !== undefined)
        return;
      this.#write(entry, this.#channel as AMQPChannel);
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
    channel.basicPublish(exchange, routingKey, body, { ...properties, headers }, true).then(
      () => this.#confirmed(key, entry),
      (error) => this.#failed(key, entry, channel, error),
    );
  }

  #confirmed(key: string, entry: Entry): void {
    this.#progressAt = this.#nowMs;
    this.#inFlight.delete(key);
    const { exchange, routingKey } = entry.message;
    if (entry.returned) entry.reject(new Unroutable(exchange, routingKey));
    else entry.resolve();
    this.#pump();
  }

  /** A refusal ends the publish; a lost channel or connection puts it back in line. */
  #failed(key: string, entry: Entry, channel: AMQPChannel, error: unknown): void {
    if (!this.#inFlight.delete(key)) return;
    const code = brokerCode(error);
    if (entry.settled) this.#checkIdle();
    else if (error instanceof RangeError || error instanceof TypeError) entry.reject(error);
    else if (channel.closed && (code === 404 || code === 403))
      entry.reject(new BrokerUnavailable(REFUSALS[code], false, { cause: plain(error) }));
    else if (channel.closed || this.#link.blocked !== undefined) this.#waiting.add(entry);
    else entry.reject(new BrokerUnavailable("broker_refused", false, { cause: plain(error) }));
    if (channel.closed) this.#reopenSoon();
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
    const channel = this.#channel;
    if (this.#closed || channel === undefined) return;
    if (this.#nowMs - this.#replacedAt < REPLACE_EVERY_MS) return;
    this.#replacedAt = this.#nowMs;
    this.#channel = undefined;
    // The library forgets what is unconfirmed on a channel that we close ourselves.
    for (const entry of this.#inFlight.values()) if (!entry.settled) this.#waiting.add(entry);
    this.#inFlight.clear();
    channel.close().catch(() => {});
    this.#options.report("confirms_overdue");
    void this.#open();
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
      entry.reject(this.#link.unavailable(true));
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
      if (since <= oldest) entry.reject(this.#link.unavailable(entry.writtenAt !== undefined));
    }
    if (!this.#busy) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }
}
