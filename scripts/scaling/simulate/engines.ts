/** Reads the engines as they would be deployed: keda/*.yaml, the Deployments of manifests/, and the worker definitions. */
import { globSync } from "node:fs";
import { drainDeadlineMs } from "../../../shared/engine/deadlines.ts";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import { type Problem, readObjects } from "../../kubernetes/read/documents.ts";
import { graceSecondsOf, podSizeOf } from "../../kubernetes/read/workload.ts";
import { loadWorkers } from "../../workers.ts";
import { readScaledObjects } from "../keda/read-scaled-objects.ts";
import type { ScaledObject } from "../keda/scaled-object.ts";
import { PLACEHOLDER_CREDENTIALS } from "../keda/trigger-authentication.ts";
import { BadInput } from "./bad-input.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

/**
 * Who gets how much of a load for the whole fleet: a change set becomes an event that analytics takes in
 * (make demo: 13,703 events of 14,008 jobs), and the broker dead-letters one job in 100,000.
 */
const SHARES: Readonly<Record<string, number>> = {
  activities: 0.50546,
  analytics: 0.49453,
  burials: 0.00001,
};
/** docs/meta/rendimiento.md: a call with one job in flight. */
const LIGHT_JOB_S = 0.0065;

export interface EngineFiles {
  /** Globs, relative to the working directory. */
  scaledObjects?: string;
  manifests?: string;
}

/**
 * All engines that have a ScaledObject. Throws BadFiles with file and line for a ScaledObject that
 * KEDA would refuse or that lacks the figures.
 */
export async function readEngines({
  scaledObjects: scaledObjectGlob = "keda/*.yaml",
  manifests: manifestGlob = "manifests/base/**/*.yaml",
}: EngineFiles = {}): Promise<SimulatedEngine[]> {
  const files = globSync(scaledObjectGlob).toSorted();
  const { scaledObjects, problems } = readScaledObjects(files, PLACEHOLDER_CREDENTIALS);
  const deployments = globSync(manifestGlob)
    .flatMap((file) => readObjects(file).objects)
    .filter(({ kind }) => kind === "Deployment");
  const workers = new Map(
    (await loadWorkers()).map(({ definition }) => [definition.name, definition]),
  );
  const engines = scaledObjects.flatMap((scaledObject): SimulatedEngine[] => {
    const worker = workers.get(scaledObject.name);
    const figures = readFigures(scaledObject, problems);
    if (!worker) {
      problems.push({
        file: scaledObject.source.file,
        line: scaledObject.source.lineOf(["metadata", "name"]),
        rule: "engine-exists",
        message: `${scaledObject.name} is the name of no folder under workers/`,
        fix: "name the ScaledObject as its engine",
      });
    }
    if (!worker || !figures) return [];
    const { concurrency, timeoutMs } = worker;
    const deployment = deployments.find(({ name }) => name === scaledObject.target);
    // Without a Deployment there is nothing that could be too short.
    const graceS = deployment ? graceSecondsOf(deployment) : Number.POSITIVE_INFINITY;
    return [
      {
        name: scaledObject.name,
        scaledObject,
        concurrency,
        timeoutMs,
        drainS: Math.min(drainDeadlineMs(worker) / 1_000, graceS),
        lightJobS: LIGHT_JOB_S,
        share: SHARES[scaledObject.name] ?? 0,
        podSize: podSizeOf(deployment),
        ...figures,
      },
    ];
  });
  if (problems.length > 0) throw new BadFiles(problems);
  if (engines.length === 0)
    throw new BadInput(
      `no ScaledObject under ${scaledObjectGlob}: run it from the repository's root`,
    );
  return engines;
}

function readFigures(
  { source }: ScaledObject,
  problems: Problem[],
): { jobsPerSecond: number; targetWaitS: number } | undefined {
  const metadata = source.value.metadata as { annotations?: Record<string, unknown> } | undefined;
  const read = (annotation: string, what: string) => {
    const value = Number(metadata?.annotations?.[annotation] ?? Number.NaN);
    if (value > 0 && Number.isFinite(value)) return value;
    problems.push({
      file: source.file,
      line: source.lineOf(["metadata", "annotations", annotation]),
      rule: "measured-figures",
      message: `the annotation ${annotation} is no number above 0`,
      fix: `write ${what} there, in quotes`,
    });
    return undefined;
  };
  const jobsPerSecond = read(
    "tl-engine/jobs-per-second-per-replica",
    "what one pod does, measured",
  );
  const targetWaitS = read("tl-engine/target-wait-seconds", "how long a job may wait");
  return jobsPerSecond && targetWaitS ? { jobsPerSecond, targetWaitS } : undefined;
}
