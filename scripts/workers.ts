/** Finds the workers of this repository: each folder of workers/ with an index.ts. */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { WorkerDefinition } from "@tl-engine/shared";

export const WORKERS = fileURLToPath(new URL("../workers", import.meta.url));

export interface FoundWorker {
  folder: string;
  file: string;
  definition: WorkerDefinition;
}

export async function loadWorkers(): Promise<FoundWorker[]> {
  const names = (await readdir(WORKERS)).sort();
  const folders = names
    .map((name) => join(WORKERS, name))
    .filter((folder) => existsSync(join(folder, "index.ts")));
  return Promise.all(
    folders.map(async (folder) => {
      const file = join(folder, "index.ts");
      const { default: definition } = await import(pathToFileURL(file).href);
      return { folder, file, definition: definition as WorkerDefinition };
    }),
  );
}
