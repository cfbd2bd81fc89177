/** Jobs to try an engine's image with: its own examples, or the one that a file holds. */
import { readFileSync } from "node:fs";
import type { WorkerDefinition } from "@tl-engine/shared";
import { type ExampleJobs, exampleJobs } from "../../../shared/engine/example-jobs.ts";
import { BadImageRequest } from "../image-set.ts";

/** FILE and ACTION, where they are given, name one job that is published again and again under new ids. */
export function sampleJobs(definition: WorkerDefinition, env: NodeJS.ProcessEnv): ExampleJobs {
  const { FILE, ACTION } = env;
  if (FILE && ACTION) {
    const input: unknown = JSON.parse(readFileSync(FILE, "utf8"));
    return { action: ACTION, input: () => input };
  }
  const known = exampleJobs(definition);
  if (known) return known;
  const actions = Object.keys(definition.actions).join(", ");
  throw new BadImageRequest(
    actions === ""
      ? `${definition.name} takes no jobs of its own: try another engine's image.`
      : `No action of ${definition.name} has examples: give it some, or ACTION=… (${actions}) and FILE=input.json.`,
  );
}
