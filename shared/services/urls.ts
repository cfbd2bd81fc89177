/** The names of the services and of the environment variables that point at them. */

export const SERVICE_NAMES = ["rabbitmq", "postgres", "redis", "pgbouncer", "s3"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export interface ServiceUrls {
  AMQP_URL: string;
  RABBITMQ_MANAGEMENT_URL: string;
  DATABASE_URL: string;
  REDIS_URL: string;
  /** Postgres through PgBouncer in transaction mode. */
  POOLER_URL: string;
  S3_ENDPOINT: string;
  S3_REGION: string;
  S3_BUCKET: string;
  S3_ACCESS_KEY_ID: string;
  S3_SECRET_ACCESS_KEY: string;
}

/** The variables by service; the first one decides whether the environment provides the service. */
export const URLS_OF_SERVICE = {
  rabbitmq: ["AMQP_URL", "RABBITMQ_MANAGEMENT_URL"],
  postgres: ["DATABASE_URL"],
  redis: ["REDIS_URL"],
  pgbouncer: ["POOLER_URL"],
  s3: ["S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"],
} as const satisfies Record<ServiceName, readonly [keyof ServiceUrls, ...(keyof ServiceUrls)[]]>;
