/** Takes out of the findings what no screen or log should show, whichever server said it back to us. */
import { redactUrls } from "@tl-engine/shared/process/log";
import type { DoctorConfig } from "./environment.ts";
import type { Result } from "./run-part.ts";

/** Shorter ones stand in other words too, and protect nothing. */
const MIN_LENGTH = 4;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function secretsOf(config: DoctorConfig): string[] {
  const { AMQP_URL, DATABASE_URL, REDIS_URL, RABBITMQ_MANAGEMENT_URL } = config;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = "" } =
    config;
  const urls = [AMQP_URL, DATABASE_URL, REDIS_URL, RABBITMQ_MANAGEMENT_URL, endpoint];
  const passwords = urls.flatMap((url) => {
    const { username, password } = new URL(url ?? "none:");
    // As guest's is: what is told then is the name.
    return password === username ? [] : [password];
  });
  const values = headers.split(",").map((pair) => pair.slice(pair.indexOf("=") + 1).trim());
  const { S3_SECRET_ACCESS_KEY: key = "" } = config;
  return [...passwords, ...values, key]
    .flatMap((secret) => [secret, decoded(secret)])
    .filter((secret) => secret.length >= MIN_LENGTH)
    .toSorted((a, b) => b.length - a.length);
}

export function withoutSecrets(result: Result, config: DoctorConfig): Result {
  const secrets = secretsOf(config);
  const clean = (text: string) =>
    secrets.reduce((left, secret) => left.replaceAll(secret, "***"), redactUrls(text));
  const found = clean(result.found);
  if (result.level === "ok" || result.level === "skipped") return { ...result, found };
  return { ...result, found, cause: clean(result.cause), next: clean(result.next) };
}
