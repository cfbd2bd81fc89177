/** The conformance suites of all engines, found by looking, each with good jobs of its engine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Conforming, collectConformance } from "@tl-engine/shared/testing/conformance";
import type { FoundWorker } from "../../../workers.ts";

export const conformanceSuites = (workers: FoundWorker[]): Promise<Conforming[]> =>
  collectConformance(async () => {
    for (const { folder } of workers) {
      const suite = join(folder, "conformance.test.ts");
      if (existsSync(suite)) await import(pathToFileURL(suite).href);
    }
  });
