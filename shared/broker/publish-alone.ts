/**
 * Publishes one message at a time, on a connection of its own, to find the one that the broker closes a
 * channel over: among others it is not told which one that is, and it would take them along for ever.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Published } from "./publish.ts";
import type { Outgoing } from "./publish-frames.ts";
import { type PublishLink, Unconfirmed } from "./publish-link.ts";
import { LinkClosed, type Opened } from "./supervise.ts";

export interface Alone {
  publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published>;
  /** Whether a message had better come here than go among others. */
  takes(outgoing: Outgoing): boolean;
  /** Whether the broker takes nothing at all now. */
  blocked(): boolean;
  close(): Promise<void>;
}

interface Waiting {
  outgoing: Outgoing;
  signal: AbortSignal | undefined;
  resolve(published: Published): void;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** Each refusal costs a connection, so that many messages to one place are not asked for one by one. */
const BELIEVED_MS = 500;
/** And to find out costs the time of a confirm. */
const SILENT_MS = 60_000;
const MAX_PLACES = 1_000;
/** Below, size is not why a broker refuses a message. */
const LARGE_BYTES = 1024 * 1024;

/** Reply codes of AMQP 0-9-1. */
const SUCCESS = 200;
const CONNECTION_FORCED = 320;
const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const INTERNAL_ERROR = 541;

/** What the place that a message goes to is to blame for: an exchange that is missing or not ours, a queue that failed. */
const OF_THE_PLACE: ReadonlySet<unknown> = new Set([ACCESS_REFUSED, NOT_FOUND, INTERNAL_ERROR]);

/** No queue has this name, and without `mandatory` it is dropped and confirmed. */
const CONTROL: Outgoing = {
  exchange: "",
  routingKey: "amq.nowhere",
  body: "",
  messageId: undefined,
  type: undefined,
  mandatory: false,
};

/** The broker's answer to it, which is a refusal where the user has no right to the default exchange. */
const isAnswer = (end: Published | Error) =>
  typeof end === "string" || codeOf(end) === ACCESS_REFUSED;

const codeOf = (error: Error) => (error as { code?: unknown }).code;

/** Whether the broker closed over something that was sent, rather than that a connection was lost. */
export function isBlamed(error: Error): boolean {
  const code = codeOf(error);
  return typeof code === "number" && code !== SUCCESS && code !== CONNECTION_FORCED;
}

/** @param open opens a connection for this and nothing else. */
export function publishAlone(open: () => Promise<Opened<PublishLink>>, log: Logger): Alone {
  return new LonePublisher(open, log);
}

class LonePublisher implements Alone {
  readonly #open: () => Promise<Opened<PublishLink>>;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #line: Waiting[] = [];
  /** Places that let nothing in, by until when that is believed unasked. */
  readonly #closedPlaces = new Map<string, number>();
  /** Routes on which nothing is confirmed, likewise: one of an exchange's queues says nothing of the others. */
  readonly #silentRoutes = new Map<string, number>();
  /** Size of the smallest message that was too large. */
  #tooLargeBytes = Number.POSITIVE_INFINITY;
  #openFailure = "";
  #current: Opened<PublishLink> | undefined;
  #isWorking = false;
  #isBlocked = false;

  constructor(open: () => Promise<Opened<PublishLink>>, log: Logger) {
    this.#open = open;
    this.#log = log;
  }

  blocked(): boolean {
    return this.#isBlocked;
  }

  takes(outgoing: Outgoing): boolean {
    return (
      this.#isBlocked ||
      (this.#closedPlaces.size > 0 && this.#closedPlaces.has(placeOf(outgoing))) ||
      (this.#silentRoutes.size > 0 && this.#silentRoutes.has(routeOf(outgoing))) ||
      outgoing.body.length >= this.#tooLargeBytes
    );
  }

  publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published> {
    const closing = this.#closing.signal;
    const ended = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    if (ended.aborted) return Promise.reject(ended.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Published>();
    const onEnded = () => reject(ended.reason);
    ended.addEventListener("abort", onEnded, { once: true });
    this.#line.push({ outgoing, signal, resolve });
    if (!this.#isWorking) {
      this.#isWorking = true;
      void this.#work();
    }
    return promise.finally(() => ended.removeEventListener("abort", onEnded));
  }

  async close(): Promise<void> {
    this.#closing.abort(new LinkClosed("the publisher was closed"));
    this.#hangUp();
  }

  /** The error that ended the link, where it did. */
  async #attempt(outgoing: Outgoing): Promise<Published | Error> {
    try {
      const opened = this.#current ?? (await this.#open());
      this.#openFailure = "";
      this.#current = opened;
      if (this.#closing.signal.aborted) this.#hangUp();
      const end = await new Promise<Published | Error>((resolve) => {
        opened.link.send(outgoing, resolve);
      });
      if (typeof end !== "string") this.#hangUp();
      return end;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#openFailure)
        this.#log.warn({ err: error }, "no connection to publish alone on");
      this.#openFailure = message;
      return error as Error;
    }
  }

  #hangUp(): void {
    this.#current?.close().catch(() => {});
    this.#current = undefined;
  }

  async #judge(outgoing: Outgoing): Promise<Published | "in doubt" | "nothing goes"> {
    const place = placeOf(outgoing);
    if ((this.#closedPlaces.get(place) ?? 0) > performance.now()) return "refused";
    const route = routeOf(outgoing);
    if ((this.#silentRoutes.get(route) ?? 0) > performance.now()) return "unconfirmed";
    const first = await this.#attempt(outgoing);
    if (typeof first === "string") {
      this.#closedPlaces.delete(place);
      this.#silentRoutes.delete(route);
      if (bytesOf(outgoing) >= this.#tooLargeBytes) this.#tooLargeBytes = Number.POSITIVE_INFINITY;
      return first;
    }
    if (first instanceof Unconfirmed) return this.#judgeSilence(route, first);
    if (!isBlamed(first)) return "in doubt";
    if (OF_THE_PLACE.has(codeOf(first))) {
      if (this.#closedPlaces.size === MAX_PLACES) this.#closedPlaces.clear();
      this.#closedPlaces.set(place, performance.now() + BELIEVED_MS);
      this.#log.error({ err: first, to: place }, "the broker lets nothing go there");
      return "refused";
    }
    // LavinMQ short of disk refuses every message with the code of a bad one: one that can't be bad tells.
    const control = await this.#attempt(CONTROL);
    if (typeof control !== "string" && !isAnswer(control))
      return isBlamed(control) ? "nothing goes" : "in doubt";
    const second = await this.#attempt(outgoing);
    if (typeof second === "string") return second;
    if (!isBlamed(second)) return "in doubt";
    const bytes = bytesOf(outgoing);
    if (bytes >= LARGE_BYTES) this.#tooLargeBytes = Math.min(this.#tooLargeBytes, bytes);
    this.#log.error({ err: second, to: place, bytes }, "the broker can't take this message");
    return "unsendable";
  }

  /** The broker answers to a message that goes nowhere, or to none. */
  async #judgeSilence(route: string, reason: Unconfirmed): Promise<"unconfirmed" | "in doubt"> {
    if (!isAnswer(await this.#attempt(CONTROL))) return "in doubt";
    if (this.#silentRoutes.size === MAX_PLACES) this.#silentRoutes.clear();
    this.#silentRoutes.set(route, performance.now() + SILENT_MS);
    this.#log.error({ err: reason, to: route }, "the broker confirms nothing that goes there");
    return "unconfirmed";
  }

  #noteBlocked(blocked: boolean): void {
    if (blocked === this.#isBlocked) return;
    this.#isBlocked = blocked;
    if (blocked) this.#log.warn("the broker takes no message now");
    else this.#log.info("the broker takes messages again");
  }

  async #work(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (let waiting = this.#line[0]; waiting !== undefined; waiting = this.#line[0]) {
      const { outgoing, signal, resolve } = waiting;
      if (signal?.aborted) {
        this.#line.shift();
        continue;
      }
      const end = await this.#judge(outgoing);
      if (this.#closing.signal.aborted) return;
      if (end !== "in doubt") this.#noteBlocked(end === "nothing goes");
      if (end === "in doubt" || end === "nothing goes") {
        // Its queue may be the only one that confirms nothing: the others need not wait for it.
        this.#line.push(this.#line.shift() as Waiting);
        await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
        delayMs = Math.min(2 * delayMs, MAX_DELAY_MS);
        continue;
      }
      delayMs = FIRST_DELAY_MS;
      this.#line.shift();
      resolve(end);
    }
    this.#isWorking = false;
    this.#noteBlocked(false);
    this.#hangUp();
  }
}

/** What a message is refused for: its exchange, or its queue where that is the default one. */
const placeOf = ({ exchange, routingKey }: Outgoing) => exchange || routingKey;

const routeOf = ({ exchange, routingKey }: Outgoing) => `${exchange}/${routingKey}`;

const bytesOf = ({ body }: Outgoing) =>
  typeof body === "string" ? Buffer.byteLength(body) : body.length;
