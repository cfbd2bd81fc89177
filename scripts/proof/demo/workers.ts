/** The demo's workers: the local fleet, scaled from keda/*.yaml, with clocks that fit in a minute. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { TriggerReading } from "../../scaling/autoscaler.ts";
import { createFleet } from "../../scaling/fleet/fleet.ts";
import { gracePeriods } from "../../scaling/fleet/grace-period.ts";
import { readKeda } from "../../scaling/fleet/read-keda.ts";
import { askTrigger } from "../../scaling/keda/management.ts";
import type { RabbitMqTrigger } from "../../scaling/keda/scaled-object.ts";
import type { ServiceUrls } from "./run.ts";
import type { DemoUsers } from "./users.ts";

export interface Workers {
  /** Worker processes of an engine that were asked for. */
  replicas(engine: string): number;
  maxReplicas(engine: string): number;
  /** How they are scaled, for people. */
  readonly scaling: string;
  /** Workers that did not end well. */
  readonly warnings: string[];
  /** Resolves when KEDA's cooldown has brought all back to zero that is not always on. */
  atZero(signal: AbortSignal): Promise<void>;
  /** Drains what is left. Safe to call twice. */
  stop(): Promise<void>;
}

export interface WorkersOptions {
  urls: ServiceUrls;
  users: Pick<DemoUsers, "envOf">;
  /** ENGINE_PREFIX */
  prefix: string;
  /** How old the management API's figures can be. */
  figuresAgeS: number;
  logFolder: string;
  repository: string;
  /** Called once, when workers keep dying. */
  onFailure(error: Error): void;
  /** SMTP server that takes the mails. */
  smtpUrl: string;
}

/** More processes than these only fight with the services for the cores; 2 and 1 are fastest on two. */
const CORES = availableParallelism();
const MOST: Record<string, number> = {
  activities: Math.min(4, Math.max(2, CORES)),
  analytics: Math.min(3, Math.max(1, CORES >> 1)),
  ...{ notifications: 1, automations: 1, scheduler: 1 },
};
/**
 * The shortest cooldown in real time, as a multiple of the age of the broker's figures: a figure of an
 * empty moment must not outlive it, or a worker that only paused is drained and started again.
 */
const COOLDOWN_IN_FIGURES = 2;
const MAX_CRASHES = 3;

/** Follows the queues from its return on. */
export function startWorkers(options: WorkersOptions): Workers {
  const { urls, prefix, repository, logFolder } = options;
  const scaledObjects = readKeda({
    folder: join(repository, "keda"),
    amqpUrl: urls.AMQP_URL,
    managementUrl: urls.RABBITMQ_MANAGEMENT_URL,
    prefix,
  })
    .filter(({ name }) => Object.hasOwn(MOST, name))
    .map((it) => ({ ...it, maxReplicaCount: Math.min(it.maxReplicaCount, MOST[it.name] ?? 1) }));
  const cooldownS = Math.min(...scaledObjects.map(({ cooldownPeriodS }) => cooldownPeriodS));
  const timeScale = Math.floor(cooldownS / (options.figuresAgeS * COOLDOWN_IN_FIGURES));
  const warnings: string[] = [];
  const logOf = (pod: string) => join(logFolder, `${pod}.log`);
  let crashes = 0;
  const fleet = createFleet({
    scaledObjects,
    env: {
      ...process.env,
      ...urls,
      ...mailEnv(options.smtpUrl),
      ENGINE_PREFIX: prefix,
      WORKER_ID: prefix,
    },
    envOf: options.users.envOf,
    logFolder,
    repository,
    timeScale,
    graceS: gracePeriods(repository),
    onEvent: () => {},
    ask: rememberFor((options.figuresAgeS * 1_000) / 5),
    onBadDrain: (pod, how) => warnings.push(`${pod} ended ${how}, see ${logOf(pod)}`),
    onCrash(pod, how) {
      warnings.push(`${pod} ended ${how}, see ${logOf(pod)}`);
      if (++crashes !== MAX_CRASHES) return;
      const tail = readFileSync(logOf(pod), "utf8").trimEnd().split("\n").slice(-15).join("\n");
      options.onFailure(
        new Error(`${crashes} workers ended by themselves, ${pod} ${how}. Its log ends:\n${tail}`),
      );
    },
  });
  fleet.start();
  const engineOf = (name: string) => fleet.engines.find((it) => it.scaledObject.name === name);
  return {
    replicas: (engine) => engineOf(engine)?.deployment.replicas ?? 0,
    maxReplicas: (engine) => engineOf(engine)?.scaledObject.maxReplicaCount ?? 0,
    scaling: `scaled from keda/*.yaml, KEDA's and the HPA's clocks × ${timeScale}, replicas capped for ${CORES} cores`,
    warnings,
    atZero: (signal) => fleet.atZero(signal),
    stop: () => fleet.stop(),
  };
}

/** A server on this machine has no certificate, and its mails lead nowhere. */
const mailEnv = (smtpUrl: string) => ({
  NOTIFICATIONS_SMTP_URL: smtpUrl,
  NOTIFICATIONS_SMTP_TLS: "off",
  NOTIFICATIONS_MAIL_FROM: "Tiendaleón <avisos@tl.example>",
  NOTIFICATIONS_ISSUE_URL: "https://app.tl.example/{workspaceId}/browse/{issueId}",
});

/** Fast clocks would ask for figures that can't have changed yet, and the broker shares the cores. */
function rememberFor(ms: number): (trigger: RabbitMqTrigger) => Promise<TriggerReading> {
  const known = new Map<RabbitMqTrigger, { atMs: number; reading: Promise<TriggerReading> }>();
  return (trigger) => {
    const nowMs = performance.now();
    const last = known.get(trigger);
    if (last && nowMs - last.atMs < ms) return last.reading;
    const reading = askTrigger(trigger);
    known.set(trigger, { atMs: nowMs, reading });
    return reading;
  };
}
