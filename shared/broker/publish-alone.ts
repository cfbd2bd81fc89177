/**
 * Publishes one message at a time, on a connection of its own, to find the one that the broker closes a
 * channel over: among others it is not told which one that is, and it would take them along for ever.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Published } from "./publish.ts";
import type { Outgoing } from "./publish-frames.ts";
import type { PublishLink } from "./publish-link.ts";
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

const codeOf = (error: Error) => (error as { code?: unknown }).code;

/** Whether the broker closed over something that was sent, rather than that a connection was lost. */
export function isBlamed(error: Error): boolean {
  const code = codeOf(error);
  return typeof code === "number" && code !== SUCCESS && code !== CONNECTION_FORCED;
}

/** @param open opens a connection for this and nothing else. */
export function publishAlone(open: () => Promise<Opened<PublishLink>>, log: Logger): Alone {
  const closing = new AbortController();
  const line: Waiting[] = [];
  /** Places that let nothing in, by until when that is believed unasked. */
  const closedPlaces = new Map<string, number>();
  /** Size of the smallest message that was too large. */
  let tooLargeBytes = Number.POSITIVE_INFINITY;
  let openFailure = "";
  let current: Opened<PublishLink> | undefined;
  let isWorking = false;
  let isBlocked = false;

  /** The error that ended the link, where it did. */
  async function attempt(outgoing: Outgoing): Promise<Published | Error> {
    try {
      const opened = current ?? (await open());
      openFailure = "";
      current = opened;
      if (closing.signal.aborted) hangUp();
      const end = await new Promise<Published | Error>((resolve) => {
        opened.link.send(outgoing, resolve);
      });
      if (typeof end !== "string") hangUp();
      return end;
    } catch (error) {
      const { message } = error as Error;
      if (message !== openFailure) log.warn({ err: error }, "no connection to publish alone on");
      openFailure = message;
      return error as Error;
    }
  }

  function hangUp(): void {
    current?.close().catch(() => {});
    current = undefined;
  }

  async function judge(outgoing: Outgoing): Promise<Published | "in doubt" | "nothing goes"> {
    const place = placeOf(outgoing);
    if ((closedPlaces.get(place) ?? 0) > performance.now()) return "refused";
    const first = await attempt(outgoing);
    if (typeof first === "string") {
      closedPlaces.delete(place);
      if (bytesOf(outgoing) >= tooLargeBytes) tooLargeBytes = Number.POSITIVE_INFINITY;
      return first;
    }
    if (!isBlamed(first)) return "in doubt";
    if (OF_THE_PLACE.has(codeOf(first))) {
      if (closedPlaces.size === MAX_PLACES) closedPlaces.clear();
      closedPlaces.set(place, performance.now() + BELIEVED_MS);
      log.error({ err: first, to: place }, "the broker lets nothing go there");
      return "refused";
    }
    // LavinMQ short of disk refuses every message with the code of a bad one: one that can't be bad tells.
    const control = await attempt(CONTROL);
    if (typeof control !== "string" && codeOf(control) !== ACCESS_REFUSED)
      return isBlamed(control) ? "nothing goes" : "in doubt";
    const second = await attempt(outgoing);
    if (typeof second === "string") return second;
    if (!isBlamed(second)) return "in doubt";
    const bytes = bytesOf(outgoing);
    if (bytes >= LARGE_BYTES) tooLargeBytes = Math.min(tooLargeBytes, bytes);
    log.error({ err: second, to: place, bytes }, "the broker can't take this message");
    return "unsendable";
  }

  function noteBlocked(blocked: boolean): void {
    if (blocked === isBlocked) return;
    isBlocked = blocked;
    if (blocked) log.warn("the broker takes no message now");
    else log.info("the broker takes messages again");
  }

  async function work(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (let waiting = line[0]; waiting !== undefined; waiting = line[0]) {
      const { outgoing, signal, resolve } = waiting;
      if (signal?.aborted) {
        line.shift();
        continue;
      }
      const end = await judge(outgoing);
      if (closing.signal.aborted) return;
      if (end !== "in doubt") noteBlocked(end === "nothing goes");
      if (end === "in doubt" || end === "nothing goes") {
        // Its queue may be the only one that confirms nothing: the others need not wait for it.
        line.push(line.shift() as Waiting);
        await sleep(delayMs, undefined, { signal: closing.signal }).catch(() => {});
        delayMs = Math.min(2 * delayMs, MAX_DELAY_MS);
        continue;
      }
      delayMs = FIRST_DELAY_MS;
      line.shift();
      resolve(end);
    }
    isWorking = false;
    noteBlocked(false);
    hangUp();
  }

  return {
    blocked: () => isBlocked,
    takes: (outgoing) =>
      isBlocked ||
      (closedPlaces.size > 0 && closedPlaces.has(placeOf(outgoing))) ||
      outgoing.body.length >= tooLargeBytes,
    publish(outgoing, signal) {
      const ended =
        signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      if (ended.aborted) return Promise.reject(ended.reason);
      const { promise, resolve, reject } = Promise.withResolvers<Published>();
      const onEnded = () => reject(ended.reason);
      ended.addEventListener("abort", onEnded, { once: true });
      line.push({ outgoing, signal, resolve });
      if (!isWorking) {
        isWorking = true;
        void work();
      }
      return promise.finally(() => ended.removeEventListener("abort", onEnded));
    },
    async close() {
      closing.abort(new LinkClosed("the publisher was closed"));
      hangUp();
    },
  };
}

/** What a message is refused for: its exchange, or its queue where that is the default one. */
const placeOf = ({ exchange, routingKey }: Outgoing) => exchange || routingKey;

const bytesOf = ({ body }: Outgoing) =>
  typeof body === "string" ? Buffer.byteLength(body) : body.length;
