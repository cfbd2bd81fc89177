/** An environment as it would be deployed: its engines, their pods at worst, and its quotas. */

import { BadFiles } from "../kubernetes/read/bad-files.ts";
import { environmentObjects } from "../kubernetes/read/environments.ts";
import { parseScaledObjects } from "../scaling/keda/read-scaled-objects.ts";
import { PLACEHOLDER_CREDENTIALS } from "../scaling/keda/trigger-authentication.ts";
import { readEngines } from "../scaling/simulate/engines.ts";
import type { SimulatedEngine } from "../scaling/simulate/simulated-engine.ts";
import { engineGroup, type PodGroup, type Quota, quotaOf, setupGroups } from "./worst-pods.ts";

export interface Autoscaled {
  simulated: SimulatedEngine;
  group: PodGroup;
}

export interface Environment {
  name: string;
  engines: Autoscaled[];
  /** Pods that are no engine's. */
  setup: PodGroup[];
  quota: Quota;
}

/** Throws BadFiles, or BadManifests of the simulator for a ScaledObject that lacks its figures. */
export async function readEnvironmentFiles(name: string): Promise<Environment> {
  const objects = environmentObjects(name);
  const { scaledObjects, problems } = parseScaledObjects(objects, PLACEHOLDER_CREDENTIALS);
  if (problems.length > 0) throw new BadFiles(problems);
  const engines = (await readEngines()).flatMap((engine): Autoscaled[] => {
    const scaledObject = scaledObjects.find((it) => it.name === engine.name);
    if (!scaledObject) return [];
    const group = engineGroup(scaledObject, objects);
    return [{ simulated: { ...engine, scaledObject, podSize: group.size }, group }];
  });
  return { name, engines, setup: setupGroups(objects), quota: quotaOf(objects) };
}
