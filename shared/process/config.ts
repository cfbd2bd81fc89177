/** The environment of a worker, parsed once; every bad variable is reported in one message. */
import { hostname } from "node:os";
import { z } from "zod";
import { DEFAULT_TOOLS_USER, PREFIX, PUBLISHER } from "../wire/names.ts";
import { readReplyToAllow } from "./reply-to-allow.ts";
import { withFiles } from "./secret-files.ts";

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`,
  });
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const flag = z
  .enum(["0", "1", "false", "true"])
  .transform((text) => text === "1" || text === "true");

/** Every variable that all workers read; an engine's own are in its definition. Descriptions go to `.env.example`. */
export const Environment = z.object({
  AMQP_URL: url("amqp:", "amqps:").describe(
    "Broker; the vhost /engine is written %2Fengine: amqps://user:password@host/%2Fengine",
  ),
  DATABASE_URL: url("postgres:", "postgresql:").describe(
    "Postgres `enginedb`, through a pooler in transaction mode if there is one",
  ),
  REDIS_URL: url("redis:", "rediss:").describe("Redis for claims; it must not evict (noeviction)"),
  RABBITMQ_MANAGEMENT_URL: url("http:", "https:")
    .optional()
    .describe("Management API; when given, broker policies are checked at start"),
  ENGINE_PREFIX: z
    .string()
    .regex(PREFIX)
    .default("engine")
    .describe("Prefix of every queue, exchange and Redis key"),
  ENGINE_ENV: z
    .enum(["dev", "staging"])
    .default("dev")
    .describe("Environment, a field of every log line"),
  BROKER_PROFILE: z
    .enum(["auto", "rabbitmq", "lavinmq"])
    .default("auto")
    .describe("Kind of broker; auto asks it and refuses a product it does not know"),
  REPLY_TO_ALLOW: z
    .string()
    .default("amq.rabbitmq.reply-to.*,amq.direct.reply-to.*,amq.gen-*,*.replies,*.replies.*")
    .refine((list) => readReplyToAllow(list) !== undefined, {
      error: "each entry must be a pattern, or publisher=pattern with a broker user's name",
    })
    .describe(
      "Reply-to queues that callers may name, comma-separated, * is any text; a publisher with entries publisher=pattern may use only those",
    ),
  REPLY_EXCHANGE: z
    .string()
    .regex(/^[a-z][A-Za-z0-9_.-]{0,126}$/)
    .or(z.literal(""))
    .default("")
    .describe(
      "Topic exchange for replies, in a vhost shared with others: engine.replies, with the prefix before it; empty is the default exchange, whose right is one on every queue",
    ),
  PUBLISHER_REQUIRED: flag
    .default(false)
    .describe("Refuses jobs without user_id, so that each has a publisher whom the broker checked"),
  TOOLS_USER: z
    .string()
    .regex(PUBLISHER)
    .default(DEFAULT_TOOLS_USER)
    .describe("Broker user of make replay, whose x-replay and x-publisher are believed"),
  AMQP_HEARTBEAT_S: whole(1, 300)
    .default(30)
    .describe("AMQP heartbeat, seconds; a dead peer is seen after two"),
  MAX_PREFETCH: whole(2, 65_535)
    .optional()
    .describe(
      "Caps what each worker holds of both its queues, and so its concurrency, where the plan limits unacked messages",
    ),
  MAX_HELD_BYTES: whole(1_048_576, 1_073_741_824)
    .default(16_777_216)
    .describe(
      "Bytes of all job bodies that a worker holds at once; a tenth of its memory or less, since a parsed body takes several times its size",
    ),
  LEASE_MS: whole(500, 600_000)
    .default(10_000)
    .describe("Length of a claim, milliseconds; renewed for jobs that run longer than half of it"),
  CLAIM_TTL_S: whole(3_600, 2_592_000)
    .default(21_600)
    .describe(
      "How long Redis remembers a job after its last claim, seconds; longer than any job runs",
    ),
  RETENTION_DAYS: whole(2, 3_650)
    .default(30)
    .describe("Age at which results are purged and jobs are refused as expired, days"),
  RETRY_BUDGET: z.coerce
    .number()
    .min(0.01)
    .max(10)
    .default(0.2)
    .describe("Retries per first attempt, past which consumption slows down"),
  DATABASE_POOL_MAX: whole(2, 200)
    .optional()
    .describe(
      "Postgres connections of one worker; by default as many as its transactions, reads and results need",
    ),
  DATABASE_PREPARED: flag
    .default(true)
    .describe(
      "Prepared statements; given up by itself behind a pooler that does not follow them (PgBouncer before 1.21)",
    ),
  S3_ENDPOINT: url("http:", "https:")
    .optional()
    .describe("S3 server of the engines that keep files, without the bucket"),
  S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .optional()
    .describe("Region of the bucket, as its server names it: it is part of every signature"),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .optional()
    .describe("Bucket of all engines' files, each below its own prefix"),
  S3_ACCESS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe("Application key of the engine, limited to its prefix"),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional().describe("Secret of the application key"),
  S3_PATH_STYLE: flag
    .default(true)
    .describe("The bucket in the path; 0 puts it before the host, for servers that ask for it"),
  HEALTH_PORT: whole(0, 65_535)
    .default(9090)
    .describe("Port of /healthz, /readyz and /metrics; 0 = any free one"),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("pino's log level"),
  OTEL_EXPORTER_OTLP_ENDPOINT: url("http:", "https:")
    .optional()
    .describe(
      "OTLP over HTTP, as `https://otlp.example:4318`: traces go there; without it there are none, at no cost",
    ),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .optional()
    .describe("What the endpoint wants to know its sender by, `name=value` with commas: a secret"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      "Part of the traces that begin here, 0 to 1; a publisher's `traceparent` decides for its own",
    ),
  WORKER_ID: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("Name of this process in results and logs; default host-pid"),
});

export type Config = z.output<typeof Environment> & {
  WORKER_ID: string;
  /** The engine's own variables, by the schema of its definition. */
  own: Readonly<Record<string, unknown>>;
};

/** The environment is wrong. The message names every bad variable and never holds a value. */
export class BadEnvironment extends Error {
  override readonly name = "BadEnvironment";
}

/** What an engine with files can't do without. */
const FILES = Environment.pick({
  S3_ENDPOINT: true,
  S3_REGION: true,
  S3_BUCKET: true,
  S3_ACCESS_KEY_ID: true,
  S3_SECRET_ACCESS_KEY: true,
}).required();

/**
 * @param ownSchema `env` of the engine's definition.
 * @param needs.files whether the engine keeps files, and so needs S3.
 * @throws {BadEnvironment}
 */
export function readConfig(
  env: Record<string, string | undefined>,
  ownSchema: z.ZodObject = z.object({}),
  { files = false }: { files?: boolean } = {},
): Config {
  const needed = files ? FILES.shape : {};
  const all = readVariables(z.object({ ...ownSchema.shape, ...Environment.shape, ...needed }), env);
  // Its shape alone lacks what it demands of several variables together.
  readVariables(ownSchema, env);
  const own = Object.keys(ownSchema.shape).map((name) => [
    name,
    (all as Record<string, unknown>)[name],
  ]);
  return {
    ...all,
    WORKER_ID: all.WORKER_ID ?? `${hostname()}-${process.pid}`,
    own: Object.fromEntries(own),
  };
}

/**
 * Reads what a tool needs: pass `Environment.pick({ … })`. An empty variable counts as unset, and a
 * `…_FILE` beside a URL's name holds the path of a file with its value.
 * @throws {BadEnvironment}
 */
export function readVariables<Schema extends z.ZodObject>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.output<Schema> {
  const { found, problems } = withFiles(env, Object.keys(schema.shape));
  const given = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(given);
  if (parsed.success && problems.size === 0) return parsed.data;
  const lines = [...problems].map(([name, problem]) => `  ${name}: ${problem}`);
  for (const issue of parsed.error?.issues ?? []) {
    const name = issue.path.join(".");
    if (problems.has(name) || problems.has(`${name}_FILE`)) continue;
    // What a schema demands because of another variable says so itself.
    const isMissing = given[name] === undefined && issue.code !== "custom";
    lines.push(`  ${name}: ${isMissing ? "is not set" : issue.message}`);
  }
  throw new BadEnvironment(`The environment is wrong (see .env.example):\n${lines.join("\n")}`);
}
