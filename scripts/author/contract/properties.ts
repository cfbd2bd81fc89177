/** What stands in the AMQP properties and headers of jobs, replies and events: one list for README, page and AsyncAPI. */
import { RUNTIME_HEADERS } from "../../../shared/job/publisher.ts";
import { HEADERS } from "../../../shared/wire/headers.ts";
import { JOB_ID, PUBLISHER } from "../../../shared/wire/names.ts";

export interface Property {
  name: string;
  isHeader?: true;
  /** In Markdown, of which `code`, **bold** and [links](#here) are used. */
  rule: string;
  /** As JSON Schema; absent where the property must not be set. */
  schema?: Record<string, unknown>;
  isRequired?: true;
}

const JSON_TYPE: Property = {
  name: "content_type",
  isRequired: true,
  rule: "`application/json`",
  schema: { type: "string", const: "application/json" },
};
const PERSISTENT = { type: "integer", const: 2 };
const SECONDS = { type: "integer", minimum: 0 };
const TRACEPARENT = {
  type: "string",
  pattern: "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
};
const NAME_OF_QUEUE = { type: "string", minLength: 1, maxLength: 255 };

export const JOB_PROPERTIES: Property[] = [
  {
    name: "message_id",
    isRequired: true,
    rule: `required: the job's id, which is the idempotency key, \`${JOB_ID.source}\`. Unguessable, unless it is meant to be derived from what the job is about. \`<engine>.<name>:<instant>\` is a schedule's slot, and refused from anybody but the scheduler`,
    schema: { type: "string", pattern: JOB_ID.source },
  },
  {
    name: "type",
    isRequired: true,
    rule: "required: the action and its version, `<engine>.<action>.v<N>`",
    schema: { type: "string", maxLength: 255 },
  },
  {
    name: "content_type",
    isRequired: true,
    rule: "required: `application/json`; a `charset` must be UTF-8, other parameters are ignored",
    schema: { type: "string", pattern: "^application/json" },
  },
  {
    name: "delivery_mode",
    rule: "2, so that the job outlives a broker restart",
    schema: PERSISTENT,
  },
  {
    name: "reply_to",
    rule: "where the reply goes: a queue named `*.replies` or `*.replies.*` (not beginning with `engine.`), one that the broker named, or direct reply-to, [where that is allowed](#replies-on-a-shared-vhost). Without it there is no reply",
    schema: NAME_OF_QUEUE,
  },
  {
    name: "correlation_id",
    rule: "free, echoed in the reply; without it the reply has the job's id",
    schema: { type: "string", maxLength: 255 },
  },
  {
    name: HEADERS.deadline,
    isHeader: true,
    rule: "epoch milliseconds; past it the job ends as `expired`, unrun",
    schema: { type: "integer", minimum: 0 },
  },
  {
    name: HEADERS.runAt,
    isHeader: true,
    rule: "epoch milliseconds, at most 366 days ahead: the job waits until then. Publish it to the exchange `engine.later` instead of `engine.jobs`, under the same routing key; what comes to `engine.jobs` waits too, but wakes its engine to say so. The same job again with another time moves it; what has passed runs at once",
    schema: { type: "integer", minimum: 0 },
  },
  {
    name: HEADERS.traceparent,
    isHeader: true,
    rule: "W3C trace context, carried on",
    schema: TRACEPARENT,
  },
  {
    name: "timestamp",
    rule: "epoch seconds; a job older than the results are kept ends as `expired`",
    schema: SECONDS,
  },
  {
    name: "user_id",
    rule: `your broker user's name, which the broker checks: the job's publisher, \`${PUBLISHER.source}\`. A fleet may require it. Without it the job is nobody's`,
    schema: { type: "string", pattern: PUBLISHER.source },
  },
  {
    name: "app_id",
    rule: "your program's name, recorded in the result's row, in dead letters and in the log; nothing is decided by it, and what has control characters is left out",
    schema: { type: "string", maxLength: 255 },
  },
  {
    name: "expiration",
    rule: `**never**: with no worker running the broker would drop the job; use \`${HEADERS.deadline}\``,
  },
];

/** Headers that a job must not carry, as one row of a table each. */
export const REFUSED_HEADERS = [
  { names: ["CC", "BCC", "x-dead-letter-*", "x-death"], rule: "never" },
  {
    names: [...RUNTIME_HEADERS],
    rule: "never: the engines' own, refused from anybody else",
  },
];

export const REPLY_PROPERTIES: Property[] = [
  {
    name: "message_id",
    isRequired: true,
    rule: "the same on every resend of this reply: drop what you have seen",
    schema: { type: "string" },
  },
  {
    name: "correlation_id",
    isRequired: true,
    rule: "the job's, or the job's id",
    schema: { type: "string" },
  },
  {
    name: "type",
    isRequired: true,
    rule: "the job's, with `.result` or `.error` after it; `<engine>.error` where the job has no type that can be repeated (none, over 248 bytes, control characters)",
    schema: { type: "string" },
  },
  JSON_TYPE,
  { name: "delivery_mode", rule: "2", schema: PERSISTENT },
  { name: "timestamp", rule: "epoch seconds, when it was sent", schema: SECONDS },
  { name: "user_id", rule: "the engine's broker user", schema: { type: "string" } },
  { name: "app_id", rule: "`tl-engine`", schema: { type: "string", const: "tl-engine" } },
  {
    name: HEADERS.attempt,
    isHeader: true,
    rule: "counted runs of the handler; 0 where it never ran",
    schema: { type: "integer", minimum: 0 },
  },
  {
    name: HEADERS.traceparent,
    isHeader: true,
    rule: "the job's, where it has one",
    schema: TRACEPARENT,
  },
  {
    name: HEADERS.publish,
    isHeader: true,
    rule: "the engine's own; ignore it",
    schema: {},
  },
];

/** As a row's first cell names it. */
export const nameOf = ({ name, isHeader }: Property) =>
  isHeader ? `header \`${name}\`` : `\`${name}\``;

/** A Markdown row for each. */
export const propertyRows = (properties: Property[]) =>
  properties.map((property) => `| ${nameOf(property)} | ${property.rule} |`).join("\n");

/** A Markdown row for each of what a job must not carry. */
export const refusedRows = () =>
  REFUSED_HEADERS.map(
    ({ names, rule }) => `| headers ${names.map((name) => `\`${name}\``).join(", ")} | ${rule} |`,
  ).join("\n");
