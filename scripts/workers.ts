/** Finds the workers of this repository: each folder of workers/ with an index.ts. */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { SampleJobs, WorkerDefinition } from "@tl-engine/shared";
import type { z } from "zod";

export const WORKERS = fileURLToPath(new URL("../workers", import.meta.url));

export interface FoundWorker {
  folder: string;
  file: string;
  definition: WorkerDefinition;
}

/** Names of the folders, which are those of the engines; nothing is imported. */
export async function workerFolders(): Promise<string[]> {
  const names = (await readdir(WORKERS)).sort();
  return names.filter((name) => existsSync(join(WORKERS, name, "index.ts")));
}

export async function loadWorkers(): Promise<FoundWorker[]> {
  return Promise.all(
    (await workerFolders()).map(async (name) => {
      const folder = join(WORKERS, name);
      const file = join(folder, "index.ts");
      const { default: definition } = await import(pathToFileURL(file).href);
      return { folder, file, definition: definition as WorkerDefinition };
    }),
  );
}

/** Environment variables of the engines' own, as their definitions have them, by name. */
export function ownVariables(definitions: readonly Pick<WorkerDefinition, "env">[]) {
  const shapes = definitions.map(({ env }) => env?.shape ?? {});
  return Object.assign({}, ...shapes) as Record<string, z.ZodType>;
}

/** The jobs to load an engine with, from its folder. @throws an Error that says what to write where there are none. */
export async function loadSampleJobs(name: string): Promise<SampleJobs> {
  const file = join(WORKERS, name, "sample-job.ts");
  if (!existsSync(file))
    throw new Error(
      `workers/${name}/sample-job.ts is missing: export its sample jobs there, as scripts/author/new-worker/template/sample-job.ts does`,
    );
  const { default: sampleJobs } = await import(pathToFileURL(file).href);
  return sampleJobs as SampleJobs;
}
