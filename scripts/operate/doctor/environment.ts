/** The variables that the doctor reads: those of a worker that say where its servers are and how it uses them. */
import { type Config, Environment, readVariables } from "@tl-engine/shared/process/config";

const Variables = Environment.pick({
  AMQP_URL: true,
  AMQP_HEARTBEAT_S: true,
  BROKER_PROFILE: true,
  RABBITMQ_MANAGEMENT_URL: true,
  DATABASE_URL: true,
  DATABASE_POOL_MAX: true,
  DATABASE_PREPARED: true,
  REDIS_URL: true,
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
  TOOLS_USER: true,
  S3_ENDPOINT: true,
  S3_REGION: true,
  S3_BUCKET: true,
  S3_ACCESS_KEY_ID: true,
  S3_SECRET_ACCESS_KEY: true,
  S3_PATH_STYLE: true,
  OTEL_EXPORTER_OTLP_ENDPOINT: true,
  OTEL_EXPORTER_OTLP_HEADERS: true,
});

export type DoctorConfig = Pick<Config, keyof typeof Variables.shape>;

/** @throws {BadEnvironment} */
export const readDoctorConfig = (env: Record<string, string | undefined>): DoctorConfig =>
  readVariables(Variables, env);
