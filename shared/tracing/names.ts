/**
 * The names of OpenTelemetry's conventions that our spans use, in one place: those of messaging and databases still move.
 * https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/ and https://opentelemetry.io/docs/specs/semconv/database/
 */
export const ATTRIBUTES = {
  messagingSystem: "messaging.system",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  destination: "messaging.destination.name",
  routingKey: "messaging.rabbitmq.destination.routing_key",
  messageId: "messaging.message.id",
  conversationId: "messaging.message.conversation_id",
  bodySize: "messaging.message.body.size",
  dbSystem: "db.system.name",
  dbOperation: "db.operation.name",
  dbCollection: "db.collection.name",
  dbQuery: "db.query.text",
  errorType: "error.type",
  // Ours.
  action: "engine.action",
  attempt: "engine.attempt",
  status: "engine.status",
} as const;

/** Of `messaging.system`, for LavinMQ too: it speaks the same protocol. */
export const RABBITMQ = "rabbitmq";
export const POSTGRESQL = "postgresql";
export const REDIS = "redis";

/** `<operation> <destination>`, as the conventions name spans. */
export const SPANS = {
  process: (queue: string) => `process ${queue}`,
  send: (destination: string) => `send ${destination}`,
  run: (type: string) => `run ${type}`,
  claim: "claim",
  unclaim: "unclaim",
  commit: "INSERT engine.results",
  read: "SELECT engine.results",
  begin: "BEGIN",
  /** The first word of a statement. */
  query: (statement: string) => /^\s*([a-z]+)/i.exec(statement)?.[1]?.toUpperCase() ?? "query",
} as const;
