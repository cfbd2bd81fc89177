/** The Secrets of a try: passwords that are made for it, known to this process and the cluster, and gone with the namespace. */
import { randomBytes } from "node:crypto";
import { stringify } from "yaml";
import { secretsOf } from "../deploy/cluster-needs.ts";
import type { SourceObject } from "../read/documents.ts";

export interface Passwords {
  amqp: string;
  postgres: string;
  redis: string;
}

/** Both are also the names in manifests/addons/try-services. */
const AMQP_USER = "tl-engine-try";
const POSTGRES_USER = "engine";
const SECRET_OF_SERVICES = "try-services";
const TOOLS = "tl-engine-tools";
const KEDA = "tl-engine-keda";

/** Letters and digits alone: nothing that a URL would have to encode. */
export function newPasswords(): Passwords {
  const make = () => randomBytes(24).toString("hex");
  return { amqp: make(), postgres: make(), redis: make() };
}

/** The URLs of the servers at that host and port. */
export const urlsOf = (passwords: Passwords, at: { amqp: string; postgres: string }) => ({
  amqpUrl: `amqp://${AMQP_USER}:${passwords.amqp}@${at.amqp}/%2Fengine`,
  databaseUrl: `postgres://${POSTGRES_USER}:${passwords.postgres}@${at.postgres}/enginedb`,
});

/** YAML of all Secrets that the pods, KEDA and the servers read. */
export function secretsYaml(
  fleet: readonly SourceObject[],
  namespace: string,
  passwords: Passwords,
): string {
  const { amqpUrl, databaseUrl } = urlsOf(passwords, {
    amqp: "rabbitmq:5672",
    postgres: "postgres:5432",
  });
  const known: Record<string, Record<string, string>> = {
    [KEDA]: {
      // KEDA asks from its own namespace.
      host: `http://rabbitmq.${namespace}.svc:15672`,
      vhostName: "/engine",
      username: AMQP_USER,
      password: passwords.amqp,
    },
    [TOOLS]: { AMQP_URL: amqpUrl, DATABASE_URL: databaseUrl },
  };
  const ofEngine = {
    AMQP_URL: amqpUrl,
    DATABASE_URL: databaseUrl,
    REDIS_URL: `redis://:${passwords.redis}@redis:6379/0`,
  };
  const secrets: Record<string, Record<string, string>> = {
    [SECRET_OF_SERVICES]: {
      amqpUser: AMQP_USER,
      amqpPassword: passwords.amqp,
      postgresPassword: passwords.postgres,
      redisPassword: passwords.redis,
    },
    ...Object.fromEntries(secretsOf([...fleet]).map((name) => [name, known[name] ?? ofEngine])),
  };
  return Object.entries(secrets)
    .map(([name, stringData]) =>
      stringify({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData }),
    )
    .join("---\n");
}
