/** Jobs to try an engine's image with: good ones for the engines that are here, or the one that a file holds. */
import { readFileSync } from "node:fs";
import type { WorkerDefinition } from "@tl-engine/shared";
import { BadImageRequest } from "../image-set.ts";

export interface SampleJobs {
  action: string;
  /** The n-th job's input. */
  input(n: number): unknown;
}

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const PRIORITIES = ["none", "low", "medium", "high", "urgent"];

const KNOWN: Record<string, SampleJobs> = {
  activities: {
    action: "record",
    input: (n) => ({
      type: "issue.activity.updated",
      workspaceId: "try-image",
      projectId: "try-image",
      issueId: `item-${n % 20}`,
      actorId: "ana",
      epoch: START_MS / 1_000 + n,
      requested: { priority: PRIORITIES[(n + 1) % PRIORITIES.length] },
      current: { priority: PRIORITIES[n % PRIORITIES.length] },
    }),
  },
  analytics: {
    action: "ingest",
    input: (n) => ({
      workspaceId: "try-image",
      projectId: "try-image",
      items: [
        {
          id: `item-${n % 20}`,
          createdAt: new Date(START_MS).toISOString(),
          history: [
            {
              at: new Date(START_MS + (n + 1) * MINUTE_MS).toISOString(),
              field: "points",
              from: n,
              to: n + 1,
            },
          ],
        },
      ],
    }),
  },
};

/** Whether a good job of the engine is known here. */
export const hasSampleJobs = ({ name }: WorkerDefinition): boolean => KNOWN[name] !== undefined;

/** FILE and ACTION, where they are given, name one job that is published again and again under new ids. */
export function sampleJobs(definition: WorkerDefinition, env: NodeJS.ProcessEnv): SampleJobs {
  const { FILE, ACTION } = env;
  if (FILE && ACTION) {
    const input: unknown = JSON.parse(readFileSync(FILE, "utf8"));
    return { action: ACTION, input: () => input };
  }
  const known = KNOWN[definition.name];
  if (known) return known;
  const actions = Object.keys(definition.actions).join(", ");
  throw new BadImageRequest(
    actions === ""
      ? `${definition.name} takes no jobs of its own: try another engine's image.`
      : `No job is known for ${definition.name}: give ACTION=… (${actions}) and FILE=input.json.`,
  );
}
