/** Reads the engines as they would be deployed: keda/*.yaml, the Deployments of manifests/, and the worker definitions. */
import { globSync } from "node:fs";
import { drainDeadlineMs } from "../../../shared/engine/deadlines.ts";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import { engineDeployments } from "../../kubernetes/read/environments.ts";
import { graceSecondsOf, podSizeOf } from "../../kubernetes/read/workload.ts";
import { loadWorkers } from "../../workers.ts";
import { type EngineFigures, readFigures } from "../engine-figures.ts";
import { readScaledObjects } from "../keda/read-scaled-objects.ts";
import { PLACEHOLDER_CREDENTIALS } from "../keda/trigger-authentication.ts";
import { BadInput } from "./bad-input.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

/** docs/meta/rendimiento.md: a call with one job in flight. */
const LIGHT_JOB_S = 0.0065;

export interface EngineFiles {
  /** A glob, relative to the working directory. */
  scaledObjects?: string;
  /** The repository whose manifests/ have the Deployments; the working directory by default. */
  root?: string;
}

/**
 * All engines that have a ScaledObject. Throws BadFiles with file and line for a ScaledObject that
 * KEDA would refuse or that lacks the figures.
 */
export async function readEngines({
  scaledObjects: scaledObjectGlob = "keda/*.yaml",
  root = process.cwd(),
}: EngineFiles = {}): Promise<SimulatedEngine[]> {
  const files = globSync(scaledObjectGlob).toSorted();
  const { scaledObjects, problems } = readScaledObjects(files, PLACEHOLDER_CREDENTIALS);
  const deployments = engineDeployments(root);
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
        // What takes events, or what the broker gives up, is published by nobody outside.
        isPublished:
          Object.keys(worker.on ?? {}).length === 0 && Object.keys(worker.actions).length > 0,
        // A weight as yet.
        share: figures.shareOfLoad,
        podSize: podSizeOf(deployment),
        ...costsOf(figures),
      },
    ];
  });
  if (problems.length > 0) throw new BadFiles(problems);
  if (engines.length === 0)
    throw new BadInput(
      `no ScaledObject under ${scaledObjectGlob}: run it from the repository's root`,
    );
  const load = engines.reduce((sum, { share }) => sum + share, 0);
  return engines.map((engine) => ({ ...engine, share: engine.share / load }));
}

const costsOf = ({ shareOfLoad: _, ...figures }: EngineFigures) => figures;
