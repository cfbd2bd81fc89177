/** Looks for the cheapest parameters of a ScaledObject that keep a waiting time: by trying them, one after another. */
import { fillBehavior } from "../hpa/behavior.ts";
import type { ScaledObject } from "../keda/scaled-object.ts";
import type { EngineResult } from "./result.ts";
import { type SimulateOptions, simulate } from "./simulate.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

/** What is tried; the rest of the ScaledObject stays as it is. */
export interface Parameters {
  value: number;
  minReplicaCount: number;
  maxReplicaCount: number;
  pollingInterval: number;
  cooldownPeriod: number;
  /** `behavior.scaleDown.stabilizationWindowSeconds`. */
  stabilizationWindow: number;
}

/** One set of parameters and what came of it. */
export interface Trial {
  parameters: Parameters;
  p95S: number;
  costUsd: number;
  late: number;
  maxReplicas: number;
}

export interface Suggestion {
  engine: string;
  targetWaitS: number;
  now: Trial;
  /** Undefined where nothing that was tried keeps the target. */
  best: Trial | undefined;
  /** The longest p95 of the best one under other seeds. */
  otherSeedsP95S: number;
  trials: number;
}

/** More replicas than these are not tried; the owner has 50 pods in all. */
const MOST_REPLICAS = 50;
const ROUNDS = 3;
/** Costs that differ by less are the same. */
const SAME_COST = 0.002;
const OTHER_SEEDS = 2;

const parametersOf = ({ scaledObject }: SimulatedEngine): Parameters => ({
  value: scaledObject.triggers[0]?.value ?? 20,
  minReplicaCount: scaledObject.minReplicaCount,
  maxReplicaCount: scaledObject.maxReplicaCount,
  pollingInterval: scaledObject.pollingIntervalS,
  cooldownPeriod: scaledObject.cooldownPeriodS,
  stabilizationWindow: (scaledObject.behavior ?? fillBehavior({})).scaleDown
    .stabilizationWindowSeconds,
});

function withParameters(scaledObject: ScaledObject, to: Parameters): ScaledObject {
  const behavior = scaledObject.behavior ?? fillBehavior({});
  const { stabilizationWindow: stabilizationWindowSeconds } = to;
  return {
    ...scaledObject,
    minReplicaCount: to.minReplicaCount,
    maxReplicaCount: to.maxReplicaCount,
    pollingIntervalS: to.pollingInterval,
    cooldownPeriodS: to.cooldownPeriod,
    triggers: scaledObject.triggers.map((trigger) => ({ ...trigger, value: to.value })),
    behavior: { ...behavior, scaleDown: { ...behavior.scaleDown, stabilizationWindowSeconds } },
  };
}

/** What each parameter may become. */
function candidates({ concurrency, jobsPerSecond, targetWaitS }: SimulatedEngine): {
  [Name in keyof Parameters]: number[];
} {
  const value: number[] = [];
  const most = Math.max(4 * concurrency, 2 * jobsPerSecond * targetWaitS);
  for (let jobs = Math.max(1, concurrency / 4); jobs <= most; jobs *= 2) value.push(jobs);
  return {
    value: value.map(Math.round),
    minReplicaCount: [0, 1, 2, 3, 5],
    maxReplicaCount: [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, MOST_REPLICAS],
    pollingInterval: [5, 10, 15, 30, 60],
    cooldownPeriod: [30, 60, 120, 300, 600],
    stabilizationWindow: [0, 60, 120, 300, 600],
  };
}

/** Whether `a` is to be preferred: it keeps the target; it is cheaper; its worst case is; it asks the broker less. */
function isBetter(a: Trial, b: Trial, targetWaitS: number): boolean {
  const [aKeeps, bKeeps] = [a.p95S <= targetWaitS, b.p95S <= targetWaitS];
  if (aKeeps !== bKeeps) return aKeeps;
  if (!aKeeps && a.p95S !== b.p95S) return a.p95S < b.p95S;
  if (Math.abs(a.costUsd - b.costUsd) > SAME_COST * b.costUsd) return a.costUsd < b.costUsd;
  const [p, q] = [a.parameters, b.parameters];
  if (p.maxReplicaCount !== q.maxReplicaCount) return p.maxReplicaCount < q.maxReplicaCount;
  return p.pollingInterval > q.pollingInterval;
}

/** Tries one parameter after another, and again from the best found, until nothing gets better. */
export function suggest(
  engine: SimulatedEngine,
  options: Omit<SimulateOptions, "engines">,
): Suggestion {
  const { targetWaitS } = engine;
  const tried = new Map<string, Trial>();
  const run = (parameters: Parameters, seed = options.seed): Trial => {
    const scaledObject = withParameters(engine.scaledObject, parameters);
    const { engines } = simulate({
      ...options,
      engines: [{ ...engine, scaledObject }],
      ...(seed && { seed }),
    });
    const { wait, costUsd, late, maxReplicas } = engines[0] as EngineResult;
    return { parameters, p95S: wait.p95S, costUsd, late, maxReplicas };
  };
  const trial = (parameters: Parameters): Trial => {
    const key = Object.values(parameters).join("/");
    const known = tried.get(key) ?? run(parameters);
    tried.set(key, known);
    return known;
  };
  const now = trial(parametersOf(engine));
  // From a ceiling that holds nobody back, so that the other parameters show what they do.
  let best = trial({ ...now.parameters, maxReplicaCount: MOST_REPLICAS });
  if (isBetter(now, best, targetWaitS)) best = now;
  const choices = candidates(engine);
  for (let round = 0, before: Trial | undefined; round < ROUNDS && before !== best; round++) {
    before = best;
    for (const name of Object.keys(choices) as (keyof Parameters)[]) {
      for (const choice of choices[name]) {
        const parameters = { ...best.parameters, [name]: choice };
        if (parameters.minReplicaCount > parameters.maxReplicaCount) continue;
        const other = trial(parameters);
        if (isBetter(other, best, targetWaitS)) best = other;
      }
    }
  }
  const kept = best.p95S <= targetWaitS;
  const others = Array.from({ length: OTHER_SEEDS }, (_, index) =>
    run(best.parameters, `${options.seed ?? "1"}+${index + 1}`),
  );
  return {
    engine: engine.name,
    targetWaitS,
    now,
    best: kept ? best : undefined,
    otherSeedsP95S: Math.max(...others.map(({ p95S }) => p95S)),
    trials: tried.size + OTHER_SEEDS,
  };
}
