/** Jobs to try an engine's image with: its own samples, or the one that a file holds. */
import { readFileSync } from "node:fs";
import type { WorkerDefinition } from "@tl-engine/shared";
import { loadSampleJobs } from "../../workers.ts";
import { BadImageRequest } from "../image-set.ts";

export interface TriedJobs {
  action: string;
  /** The n-th job's input. */
  input(n: number): unknown;
}

/** FILE and ACTION, where they are given, name one job that is published again and again under new ids. */
export async function triedJobs(
  { name, actions }: WorkerDefinition,
  env: NodeJS.ProcessEnv,
): Promise<TriedJobs> {
  const { FILE, ACTION } = env;
  if (FILE && ACTION) {
    const input: unknown = JSON.parse(readFileSync(FILE, "utf8"));
    return { action: ACTION, input: () => input };
  }
  if (Object.keys(actions).length === 0)
    throw new BadImageRequest(`${name} takes no jobs of its own: try another engine's image.`);
  const sampleJobs = await loadSampleJobs(name);
  const { type } = sampleJobs(0, []);
  const [, action = ""] = type.split(".");
  // An engine's samples may be of several actions.
  const isTried = (n: number) => sampleJobs(n, []).type === type;
  const tried: number[] = [];
  return {
    action,
    input(n) {
      for (let next = (tried.at(-1) ?? -1) + 1; tried.length <= n; next++)
        if (isTried(next)) tried.push(next);
      return sampleJobs(tried[n] as number, []).input;
    },
  };
}
