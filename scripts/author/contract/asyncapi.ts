/** The contract as one AsyncAPI 3 document: what the fleet receives, answers and announces, over AMQP 0-9-1. */
import type { JsonSchema } from "../../../shared/engine/published-schema.ts";
import { ERROR_CODES } from "../../../shared/wire/error-codes.ts";
import { brokerNames, jobKey, type Lane } from "../../../shared/wire/names.ts";
import type { ActionContract, EngineContract } from "../contract.ts";
import {
  JOB_PROPERTIES,
  nameOf,
  type Property,
  REFUSED_HEADERS,
  REPLY_PROPERTIES,
} from "./properties.ts";
import { schemaObjects, schemaRef } from "./schema-objects.ts";

/** Of the wire as a whole: another first number is another wire. Actions carry versions of their own. */
const WIRE_VERSION = "1.0.0";
const BINDING = { bindingVersion: "0.3.0" };
const LANES = ["interactive", "bulk"] as const;
const names = brokerNames();

type Objects = Record<string, unknown>;

export function asyncapiDocument(engines: EngineContract[]): Objects {
  const { messages, schemas } = components(engines);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "tl-engine",
      version: WIRE_VERSION,
      description:
        "The remote engine of tiendaleon: publish jobs to RabbitMQ or LavinMQ, and have replies and events. Schemas are of draft-07; `x-properties` of a message are its AMQP properties, `headers` its AMQP headers, and runtime expressions of `$message.header` mean either.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: servers(),
    channels: {
      ...jobChannels(engines),
      replies: replyChannel(engines),
      ...eventChannels(engines),
    },
    operations: { ...jobOperations(engines), ...eventOperations(engines) },
    components: {
      securitySchemes: {
        brokerUser: {
          type: "userPassword",
          description: "SASL PLAIN. The user that the broker checks is the job's publisher.",
        },
        clientCertificate: { type: "X509", description: "SASL EXTERNAL, where the broker has it." },
      },
      correlationIds: {
        job: {
          description: "AMQP property correlation_id; the job's id where the job had none.",
          location: "$message.header#/correlation_id",
        },
      },
      messages,
      schemas,
    },
  };
}

const ref = (path: string) => ({ $ref: `#/${path}` });

function servers(): Objects {
  const security = [
    ref("components/securitySchemes/brokerUser"),
    ref("components/securitySchemes/clientCertificate"),
  ];
  const common = { pathname: "/{vhost}", protocolVersion: "0.9.1", security };
  const vhost = {
    default: "%2F",
    description: "The virtual host, percent-encoded: `%2Fengine` for /engine.",
  };
  const host = { default: "localhost", description: "Of RabbitMQ 3.10 to 4.3, or LavinMQ." };
  return {
    tls: { host: "{host}:5671", protocol: "amqps", ...common, variables: { host, vhost } },
    local: { host: "{host}:5672", protocol: "amqp", ...common, variables: { host, vhost } },
  };
}

/** Of component names, in which a type's own characters may all stand. */
const inputOf = (type: string) => `${type}.input`;
const outputOf = (type: string) => `${type}.output`;

function eachAction<T>(engines: EngineContract[], make: (facts: ActionContract) => T[]): T[] {
  return engines.flatMap(({ actions }) => Object.values(actions).flatMap(make));
}

const exchange = (name: string, type: string) => ({
  amqp: {
    is: "routingKey",
    exchange: { name, type, durable: true, autoDelete: false },
    ...BINDING,
  },
});

const jobChannel = (engine: string, lane: Lane) => `jobs.${jobKey(engine, lane)}`;

function jobChannels(engines: EngineContract[]): Objects {
  const channels = engines.flatMap(({ engine, actions }) => {
    const messages = Object.fromEntries(
      Object.values(actions).map(({ type }) => [type, ref(`components/messages/${type}`)]),
    );
    return LANES.map((lane) => [
      jobChannel(engine, lane),
      {
        address: jobKey(engine, lane),
        title: `Jobs for ${engine}${lane === "bulk" ? ", in bulk" : ""}`,
        description:
          lane === "bulk"
            ? "For what may wait behind all interactive jobs. The messages are the same, and a job is one job, whichever lane it came by."
            : "For what somebody waits for.",
        messages,
        bindings: exchange(names.jobs, "direct"),
      },
    ]);
  });
  return Object.fromEntries(channels);
}

function replyChannel(engines: EngineContract[]): Objects {
  const answers = eachAction(engines, ({ type }) => [`${type}.result`, `${type}.error`]);
  const messages = Object.fromEntries(
    answers.map((type) => [type, ref(`components/messages/${type}`)]),
  );
  return {
    address: null,
    title: "Replies",
    description:
      "The queue that the job's `reply_to` names: `*.replies`, `*.replies.*`, one that the broker named, or direct reply-to. Where the workers have `REPLY_EXCHANGE`, bind it to that exchange under its own name.",
    messages,
    bindings: exchange("", "default"),
  };
}

const eventTypes = (engines: EngineContract[]) =>
  engines.flatMap(({ engine, events }) => Object.keys(events).map((type) => ({ engine, type })));

const eventChannels = (engines: EngineContract[]): Objects =>
  Object.fromEntries(
    eventTypes(engines).map(({ engine, type }) => [
      `events.${type}`,
      {
        address: type,
        title: `Event ${type}`,
        description: `Announced by ${engine}. No order is promised, and an event may come twice under the same message_id.`,
        messages: { [type]: ref(`components/messages/${type}`) },
        bindings: exchange(names.events, "topic"),
      },
    ]),
  );

function jobOperations(engines: EngineContract[]): Objects {
  const operations = engines.flatMap(({ engine, actions, timeoutMs, longestReplyMs }) =>
    Object.entries(actions).flatMap(([action, { type }]) =>
      LANES.map((lane) => {
        const channel = `channels/${jobChannel(engine, lane)}`;
        const operation = {
          action: "receive",
          channel: ref(channel),
          title: `${action} of ${engine}${lane === "bulk" ? ", in bulk" : ""}`,
          messages: [ref(`${channel}/messages/${type}`)],
          bindings: { amqp: { deliveryMode: 2, mandatory: true, ack: true, ...BINDING } },
          reply: {
            address: {
              location: "$message.header#/reply_to",
              description: "AMQP property reply_to; without it there is no reply.",
            },
            channel: ref("channels/replies"),
            messages: ["result", "error"].map((end) =>
              ref(`channels/replies/messages/${type}.${end}`),
            ),
          },
          "x-timeout-ms": timeoutMs,
          "x-longest-reply-ms": longestReplyMs,
        };
        return [`${type}.${lane}`, operation];
      }),
    ),
  );
  return Object.fromEntries(operations);
}

const eventOperations = (engines: EngineContract[]): Objects =>
  Object.fromEntries(
    eventTypes(engines).map(({ type }) => [
      `announce.${type}`,
      {
        action: "send",
        channel: ref(`channels/events.${type}`),
        messages: [ref(`channels/events.${type}/messages/${type}`)],
        bindings: { amqp: { deliveryMode: 2, mandatory: false, ...BINDING } },
      },
    ]),
  );

interface Components {
  messages: Objects;
  schemas: Record<string, JsonSchema>;
}

function components(engines: EngineContract[]): Components {
  const parts = [
    ...eachAction(engines, (facts) => [jobMessage(facts), ...replyMessages(facts)]),
    ...engines.flatMap(({ events }) => Object.entries(events).map(eventMessage)),
  ];
  return {
    messages: Object.assign({}, ...parts.map(({ messages }) => messages)),
    schemas: Object.assign({ JobError: JOB_ERROR }, ...parts.map(({ schemas }) => schemas)),
  };
}

/** What every message has. @param type of the AMQP property. */
const message = (type: string, properties: Property[], rest: Objects) => ({
  [type]: {
    name: type,
    contentType: "application/json",
    correlationId: ref("components/correlationIds/job"),
    bindings: { amqp: { messageType: type, ...BINDING } },
    "x-properties": objectOf(
      properties.filter(({ isHeader }) => !isHeader),
      { type: { const: type } },
    ),
    ...rest,
  },
});

/** A schema of named values, with what narrows single ones. */
function objectOf(properties: Property[], narrower: Record<string, JsonSchema> = {}): JsonSchema {
  const known = properties.filter(({ schema }) => schema);
  return {
    type: "object",
    required: known.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    properties: Object.fromEntries([
      ...known.map(({ name, rule, schema }) => [
        name,
        { description: rule, ...schema, ...narrower[name] },
      ]),
      ...properties
        .filter(({ schema }) => !schema)
        .map((property) => [
          property.name,
          { description: `${nameOf(property)}: ${property.rule}`, not: {} },
        ]),
    ]),
  };
}

/** Of a job: what it may carry, and what it must not. */
function jobHeaders(): JsonSchema {
  const headers = objectOf(JOB_PROPERTIES.filter(({ isHeader }) => isHeader));
  const refused = REFUSED_HEADERS.flatMap(({ names: all, rule }) =>
    all.filter((name) => !name.endsWith("*")).map((name) => [name, { description: rule, not: {} }]),
  );
  return {
    ...headers,
    properties: { ...(headers.properties as Objects), ...Object.fromEntries(refused) },
    patternProperties: { "^x-dead-letter-": { not: {} } },
  } as JsonSchema;
}

function jobMessage({ type, input, examples, ...facts }: ActionContract): Components {
  return {
    messages: message(type, JOB_PROPERTIES, {
      title: `Job ${type}`,
      headers: jobHeaders(),
      payload: schemaRef(inputOf(type)),
      examples: examples.map(({ title, input: payload }, index) => ({
        name: `example${index + 1}`,
        summary: title,
        headers: { "x-deadline": EXAMPLE_DEADLINE },
        payload,
      })),
      "x-max-bytes": facts.maxInputBytes,
    }),
    schemas: schemaObjects(inputOf(type), input),
  };
}

/** 2030-01-01. */
const EXAMPLE_DEADLINE = 1_893_456_000_000;

const JOB_ERROR: JsonSchema = {
  type: "object",
  description: "Why a job ended without success.",
  required: ["code", "message", "retriable", "attempt"],
  properties: {
    code: {
      type: "string",
      enum: Object.keys(ERROR_CODES),
      description: Object.entries(ERROR_CODES)
        .map(([code, meaning]) => `\`${code}\`: ${meaning}`)
        .join("\n"),
    },
    message: { type: "string", description: "In words." },
    retriable: {
      type: "boolean",
      description: "Whether the same input under a new id could succeed.",
    },
    attempt: { type: "integer", minimum: 0, description: "Counted runs; 0 where it never ran." },
    details: {
      type: "array",
      description: "Where, and what is wrong there.",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
  },
};

const replyBody = (status: string, key: string, schema: JsonSchema): JsonSchema => ({
  type: "object",
  required: ["status", key],
  properties: { status: { type: "string", const: status }, [key]: schema },
});

const EXAMPLE_ERROR = {
  name: "refused",
  summary: "The body breaks the schema.",
  headers: { "x-attempt": 0 },
  payload: {
    status: "failed",
    error: {
      code: "invalid_input",
      message: "The input does not fit.",
      retriable: false,
      attempt: 0,
      details: [{ path: "epoch", message: "expected a number" }],
    },
  },
};

function replyMessages({ type, output, maxOutputBytes }: ActionContract): Components[] {
  const headers = objectOf(REPLY_PROPERTIES.filter(({ isHeader }) => isHeader));
  const result = message(`${type}.result`, REPLY_PROPERTIES, {
    title: `Result of ${type}`,
    headers,
    payload: replyBody("succeeded", "output", schemaRef(outputOf(type))),
    "x-max-bytes": maxOutputBytes,
  });
  const error = message(`${type}.error`, REPLY_PROPERTIES, {
    title: `Error of ${type}`,
    headers,
    payload: replyBody("failed", "error", schemaRef("JobError")),
    examples: [EXAMPLE_ERROR],
  });
  const schemas = schemaObjects(outputOf(type), output);
  return [{ messages: { ...result, ...error }, schemas }];
}

function eventMessage([type, schema]: [string, JsonSchema]): Components {
  const properties = REPLY_PROPERTIES.filter(({ name }) => !/^x-/.test(name));
  const rules: Record<string, string> = {
    message_id: "the same on every resend of this event: drop what you have seen",
    type: "the event's type, which is the routing key",
  };
  const own = properties.map((one) => ({ ...one, rule: rules[one.name] ?? one.rule }));
  return {
    messages: message(type, own, {
      title: `Event ${type}`,
      headers: objectOf(own.filter(({ isHeader }) => isHeader)),
      payload: schemaRef(type),
    }),
    schemas: schemaObjects(type, schema),
  };
}
