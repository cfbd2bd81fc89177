/** At their maximum the pods fit what the namespace and the servers' plans allow. */
import { planLanes } from "../../../../shared/broker/lanes.ts";
import { planConnections } from "../../../../shared/engine/connections.ts";
import type { AppliedObject } from "../../kustomize/placed.ts";
import { quantity } from "../../read/quantity.ts";
import { listIn, textIn, valueAt } from "../../read/value-at.ts";
import { containersOf, podNeeds, surgeOf } from "../../read/workload.ts";
import {
  find,
  ofKind,
  type Pod,
  podsOf,
  type Report,
  type Rule,
  settingOf,
  type World,
} from "../world.ts";

/** KEDA's own, where nothing is said. */
const DEFAULT_MAX_REPLICAS = 100;
const AMQP_PER_WORKER = 2;

/**
 * Pods of a workload in the worst case: all replicas, those of a rollout, and as many that still drain.
 * A Job has one.
 */
function worstPods(world: World, { object }: Pod): number {
  if (object.kind !== "Deployment") return 1;
  const scaler = find(world, "ScaledObject", object.name);
  const max = scaler
    ? Number(valueAt(scaler, ["spec", "maxReplicaCount"]) ?? DEFAULT_MAX_REPLICAS)
    : Number(valueAt(object, ["spec", "replicas"]) ?? 1);
  return max + surgeOf(object, max) + max;
}

const told = (value: number, resource: string) =>
  resource.endsWith("memory")
    ? `${Math.ceil(value / 2 ** 20)}Mi`
    : String(Number(value.toFixed(3)));

const worstCaseQuota: Rule = {
  name: "worst-case-quota",
  reason:
    "with everything at its maximum a quota that is too small stops scaling, rollouts and migrations without a word",
  check(world, report) {
    const pods = podsOf(world).map((pod) => ({ pod, count: worstPods(world, pod) }));
    const sum = (of: (pod: Pod) => number) =>
      pods.reduce((total, { pod, count }) => total + count * of(pod), 0);
    const needed: Record<string, number> = {
      pods: sum(() => 1),
      "count/scaledobjects.keda.sh": ofKind(world, "ScaledObject").length,
    };
    for (const field of ["requests", "limits"] as const)
      for (const resource of ["cpu", "memory"])
        needed[`${field}.${resource}`] = sum(({ object }) => podNeeds(object, field, resource));
    const quotas = ofKind(world, "ResourceQuota");
    for (const quota of quotas)
      for (const [resource, need] of Object.entries(needed)) {
        const path = ["spec", "hard", resource];
        const hard = quantity(valueAt(quota, path));
        if (hard === undefined)
          report(
            quota.placeOf(path),
            `the quota does not limit ${resource}`,
            `add ${resource}: "${told(need, resource)}" or more`,
          );
        else if (hard < need - 1e-9)
          report(
            quota.placeOf(path),
            `the worst case needs ${told(need, resource)} of ${resource}, and the quota allows ${told(hard, resource)} (each engine: 2 × maxReplicaCount + surge)`,
            "raise the quota, or lower a maxReplicaCount",
          );
      }
    if (quotas.length === 0)
      report(
        { file: `manifests/overlays/${world.environment}/kustomization.yaml`, line: 1 },
        "there is no ResourceQuota",
        "add one: it is the last guard before the bill",
      );
    if (ofKind(world, "LimitRange").length === 0)
      report(
        { file: `manifests/overlays/${world.environment}/kustomization.yaml`, line: 1 },
        "there is no LimitRange",
        "add one: the quota refuses pods that state no resources",
      );
  },
};

const workersAtMost = (world: World) =>
  podsOf(world)
    .filter(({ object }) => object.kind === "Deployment")
    .reduce((sum, pod) => sum + worstPods(world, pod), 0);

/** Compares a sum with a figure of target.yaml. */
function fits(
  world: World,
  report: Parameters<Rule["check"]>[1],
  field: string,
  need: number,
  how: string,
) {
  const { target } = world;
  if (!target) return;
  const limit = quantity(valueAt(target, [field]));
  if (limit !== undefined && need > limit)
    report(
      target.placeOf([field]),
      `the worst case is ${how} = ${need}, and ${world.environment} has room for ${limit}`,
      "lower a maxReplicaCount, or take a larger plan and write its figure here",
    );
}

const postgresConnections: Rule = {
  name: "postgres-connections",
  reason: "past the pooler's limit every engine waits, also those with nothing to do with the load",
  check(world, report) {
    const deployments = podsOf(world).filter(({ object }) => object.kind === "Deployment");
    const parts = deployments.map((pod) => {
      const workers = worstPods(world, pod);
      const connections = connectionsOf(world, pod.object.name);
      return { told: `${workers} × ${connections} of ${pod.object.name}`, workers, connections };
    });
    const need = parts.reduce((sum, { workers, connections }) => sum + workers * connections, 0);
    fits(world, report, "postgresConnections", need, parts.map(({ told }) => told).join(" + "));
  },
};

/** What one worker opens at most: as its definition needs, or as DATABASE_POOL_MAX says. */
function connectionsOf(world: World, name: string): number {
  const given = Number(settingOf(world, "DATABASE_POOL_MAX")) || undefined;
  const definition = world.engines.find((engine) => engine.name === name);
  if (given !== undefined || definition === undefined) return given ?? 1;
  return planConnections(definition, undefined).poolMax;
}

const amqpConnections: Rule = {
  name: "amqp-connections",
  reason: "a broker that is full refuses the next worker, which then restarts in a loop",
  check(world, report) {
    const workers = workersAtMost(world);
    fits(
      world,
      report,
      "amqpConnections",
      workers * AMQP_PER_WORKER,
      `${workers} workers × ${AMQP_PER_WORKER} connections`,
    );
  },
};

const unackedMessages: Rule = {
  name: "unacked-messages",
  reason: "a shared plan of CloudAMQP cuts a connection with more unacked messages than it allows",
  check(world, report) {
    const cap = Number(settingOf(world, "MAX_PREFETCH") || Number.POSITIVE_INFINITY);
    for (const engine of world.engines) {
      const { prefetch, bulkPrefetch = 0 } = planLanes(engine, cap);
      const held = prefetch + bulkPrefetch;
      fits(world, report, "unackedMessagesPerConnection", held, `the prefetch of ${engine.name}`);
    }
  },
};

type Limits = Record<string, Record<string, unknown> | undefined>;

/** The API server refuses a LimitRange that contradicts itself. */
function checkDefaults(range: AppliedObject, index: number, limits: Limits, report: Report): void {
  for (const resource of ["cpu", "memory"]) {
    const [request, limit, max] = ["defaultRequest", "default", "max"].map((field) =>
      quantity(limits[field]?.[resource]),
    );
    const path = ["spec", "limits", index, "default", resource];
    if (
      (request ?? 0) > (limit ?? Number.POSITIVE_INFINITY) ||
      (limit ?? 0) > (max ?? Number.POSITIVE_INFINITY)
    )
      report(
        range.placeOf(path),
        `the default ${resource} does not lie between defaultRequest and max`,
        "correct them",
      );
  }
}

const limitRange: Rule = {
  name: "limit-range",
  reason: "a container past the LimitRange is refused when its pod is made, long after the apply",
  check(world, report) {
    for (const range of ofKind(world, "LimitRange")) {
      for (const [index, limits] of listIn(range, ["spec", "limits"]).entries())
        checkDefaults(range, index, limits as Limits, report);
      for (const pod of podsOf(world))
        for (const path of containersOf(pod.object))
          for (const resource of ["cpu", "memory"]) {
            const limitPath = [...path, "resources", "limits", resource];
            const limit = quantity(valueAt(pod.object, limitPath));
            const max = quantity(valueAt(range, ["spec", "limits", 0, "max", resource]));
            if (limit !== undefined && max !== undefined && limit > max)
              report(
                pod.object.placeOf(limitPath),
                `the limit of ${textIn(pod.object, [...path, "name"])} is ${told(limit, resource)}, and the LimitRange allows ${told(max, resource)}`,
                "lower it, or raise manifests/base/limitrange.yaml",
              );
          }
    }
  },
};

export const CAPACITY_RULES: Rule[] = [
  worstCaseQuota,
  postgresConnections,
  amqpConnections,
  unackedMessages,
  limitRange,
];
