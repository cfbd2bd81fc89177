/** Engines for tests: one that is like activities unless it is told otherwise. */
import type { ScaledObject } from "../keda/scaled-object.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

export function exampleEngine(
  changes: Partial<SimulatedEngine> = {},
  scaling: Partial<ScaledObject> & { value?: number } = {},
): SimulatedEngine {
  const { value = 16_000, ...rest } = scaling;
  const name = changes.name ?? "activities";
  return {
    name,
    concurrency: 64,
    timeoutMs: 10_000,
    drainS: 12,
    jobsPerSecond: 1_600,
    lightJobS: 0.0065,
    targetWaitS: 60,
    share: 1,
    isPublished: true,
    eventsPerJob: 0.98,
    ownRowsPerJob: 0,
    ownBytesPerJob: 0,
    ownRetentionMonths: Infinity,
    ownBytesPerJobKept: 0,
    podSize: { cpu: 0.25, memoryGib: 0.25 },
    ...changes,
    scaledObject: {
      name,
      target: name,
      pollingIntervalS: 30,
      cooldownPeriodS: 300,
      initialCooldownPeriodS: 0,
      minReplicaCount: 0,
      maxReplicaCount: 10,
      triggers: [
        {
          queueName: `engine.${name}`,
          mode: "QueueLength",
          value,
          activationValue: 0,
          protocol: "http",
          host: "http://broker.example/%2Fengine",
          useRegex: false,
          operation: "sum",
          pageSize: 100,
          excludeUnacknowledged: false,
          unsafeSsl: false,
          timeoutMs: 3_000,
        },
      ],
      paused: false,
      pausedScaleIn: false,
      pausedScaleOut: false,
      forcedActive: false,
      source: {
        file: `keda/${name}.yaml`,
        apiVersion: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        name,
        value: {},
        lineOf: () => 1,
      },
      ...rest,
    },
  };
}
