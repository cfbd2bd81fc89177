/** Asks a broker's management API for a trigger's figure, just as KEDA's rabbitmq scaler does over HTTP. */
import { ManagementError, request } from "@tl-engine/shared/broker/management";
import type { TriggerReading } from "../autoscaler.ts";
import type { RabbitMqTrigger } from "./scaled-object.ts";

/** A queue as the API tells it; fields are missing while the broker has no figures yet. */
interface QueueInfo {
  messages?: number;
  messages_ready?: number;
  message_stats?: {
    publish_details?: { rate?: number };
    deliver_get_details?: { rate?: number };
  };
}

/** What counts of a queue, or of all those that a pattern matches. */
interface Figures {
  messages: number;
  ready: number;
  publishRate: number;
  deliverGetRate: number;
}

/** Never rejects: what goes wrong is the reading. */
export async function askTrigger(trigger: RabbitMqTrigger): Promise<TriggerReading> {
  try {
    if (trigger.protocol !== "http")
      throw new ManagementError("protocol amqp is not asked here; write protocol: http");
    const answer: unknown = JSON.parse(await get(managementUrl(trigger), trigger));
    const reading = readingOf(trigger, figuresOf(trigger, answer));
    const doubt = doubtOf(trigger, answer as QueueInfo & { items?: QueueInfo[] });
    return doubt === undefined ? reading : { ...reading, doubt };
  } catch (error) {
    return { error: describe(error) };
  }
}

/** The URL that KEDA asks, with the credentials in it. */
export function managementUrl(trigger: RabbitMqTrigger): URL {
  const { host, vhostName, username, password, queueName, useRegex, pageSize } = trigger;
  const url = new URL(host);
  const segments = url.pathname.split("/");
  const last = segments.pop() ?? "";
  const prefix = segments.filter((segment) => segment !== "").map((segment) => `/${segment}`);
  // The last segment is the vhost, still encoded; without one it is the default vhost `/`.
  const vhost = vhostName ? queryEscape(vhostName) : last || "%2F";
  const queue = queryEscape(queueName);
  url.pathname = `${prefix.join("")}/api/queues/${vhost}${useRegex ? "" : `/${queue}`}`;
  url.search = useRegex
    ? `page=1&use_regex=true&pagination=false&name=${queue}&page_size=${pageSize}`
    : "";
  if (username && password) {
    url.username = encodeURIComponent(username);
    url.password = encodeURIComponent(password);
  }
  return url;
}

/** Go's url.QueryEscape. */
const queryEscape = (value: string) =>
  encodeURIComponent(value)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");

/** Of Go's http.Client. */
const MAX_REDIRECTS = 10;

async function get(url: URL, trigger: RabbitMqTrigger): Promise<string> {
  let at = url;
  for (let redirects = 0; ; redirects++) {
    try {
      return await getOnce(at, trigger);
    } catch (error) {
      const location = error instanceof ManagementError ? error.location : undefined;
      if (location === undefined) throw error;
      if (redirects === MAX_REDIRECTS)
        throw new ManagementError(`stopped after ${MAX_REDIRECTS} redirects`);
      const next = new URL(location, at);
      // As Go does: the credentials go along to the same host, and its subdomains, alone.
      if (next.hostname === at.hostname || next.hostname.endsWith(`.${at.hostname}`)) {
        next.username ||= at.username;
        next.password ||= at.password;
      }
      at = next;
    }
  }
}

function getOnce(url: URL, { timeoutMs, unsafeSsl, tls }: RabbitMqTrigger): Promise<string> {
  return request("GET", url, undefined, {
    timeoutMs,
    tls: {
      rejectUnauthorized: !unsafeSsl,
      ...(tls?.ca && { ca: tls.ca }),
      ...(tls?.cert && { cert: tls.cert, key: tls.key }),
      ...(tls?.keyPassword && { passphrase: tls.keyPassword }),
    },
  });
}

function figuresOf(trigger: RabbitMqTrigger, answer: unknown): Figures {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer))
    throw new ManagementError("the answer is no object");
  if (!trigger.useRegex) return figuresOfQueue(answer);
  const { items = [], page_count: pages = 0 } = answer as {
    items?: QueueInfo[];
    page_count?: number;
  };
  if (pages > 1)
    throw new ManagementError(
      `the pattern ${trigger.queueName} matches more queues than one page of ${trigger.pageSize}`,
    );
  return compose(trigger.operation, items.map(figuresOfQueue));
}

function figuresOfQueue(queue: QueueInfo): Figures {
  const stats = queue.message_stats;
  return {
    messages: figure(queue.messages, "messages", true),
    ready: figure(queue.messages_ready, "messages_ready", true),
    publishRate: figure(stats?.publish_details?.rate, "publish_details.rate"),
    deliverGetRate: figure(stats?.deliver_get_details?.rate, "deliver_get_details.rate"),
  };
}

/** KEDA takes 0 without a word, and may let a fleet sleep on a full queue. */
function doubtOf(
  { queueName, useRegex }: RabbitMqTrigger,
  answer: QueueInfo & { items?: QueueInfo[] },
): string | undefined {
  const queues = useRegex ? (answer.items ?? []) : [answer];
  if (queues.length === 0) return `no queue matches ${queueName}: KEDA takes 0`;
  return queues.some(({ messages }) => messages === undefined || messages === null)
    ? `the answer for ${queueName} has no figures: KEDA takes 0`
    : undefined;
}

/** Absent and null are 0 to Go's JSON; any other type is an error. */
function figure(value: unknown, name: string, isCount = false): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number" && (!isCount || Number.isInteger(value))) return value;
  throw new ManagementError(`${name} of the answer is no ${isCount ? "whole " : ""}number`);
}

/** Each field by itself: the maximum of two fields can come from two queues. */
function compose(operation: RabbitMqTrigger["operation"], queues: Figures[]): Figures {
  const field = (name: keyof Figures) => {
    const values = queues.map((queue) => queue[name]);
    if (operation === "max") return Math.max(0, ...values);
    const sum = values.reduce((total, value) => total + value, 0);
    if (operation === "sum" || values.length === 0) return sum;
    // Counts are whole numbers to KEDA, and their average too.
    const isCount = name === "messages" || name === "ready";
    return isCount ? Math.trunc(sum / values.length) : sum / values.length;
  };
  return {
    messages: field("messages"),
    ready: field("ready"),
    publishRate: field("publishRate"),
    deliverGetRate: field("deliverGetRate"),
  };
}

function readingOf(trigger: RabbitMqTrigger, figures: Figures): TriggerReading {
  const { activationValue: activation } = trigger;
  const { publishRate, deliverGetRate } = figures;
  const messages = trigger.excludeUnacknowledged ? figures.ready : figures.messages;
  switch (trigger.mode) {
    case "QueueLength":
      return { value: messages, active: messages > activation };
    case "MessageRate":
      return { value: publishRate, active: publishRate > activation || messages > activation };
    case "DeliverGetRate":
      return { value: deliverGetRate, active: deliverGetRate > activation };
    case "PublishedToDeliveredRatio": {
      const stuck = publishRate > 0 && deliverGetRate === 0;
      const moving = publishRate > 0 && deliverGetRate > 0;
      const value = stuck ? activation : moving ? publishRate / deliverGetRate : 0;
      return { value, active: value > activation || stuck };
    }
    case "ExpectedQueueConsumptionTime": {
      if (deliverGetRate === 0) return { value: activation, active: true };
      const value = (publishRate - deliverGetRate + messages) / deliverGetRate;
      return { value, active: value > activation };
    }
  }
}

function describe(error: unknown): string {
  if (error instanceof ManagementError)
    return isTimeout(error.cause) ? "no answer within the timeout" : error.message;
  if (error instanceof SyntaxError) return `the answer is no JSON: ${error.message}`;
  return (error as Error).message || String(error);
}

const isTimeout = (cause: unknown) =>
  cause instanceof Error && (cause.name === "AbortError" || cause.name === "TimeoutError");
