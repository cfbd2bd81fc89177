/** Jobs of an engine that anybody may publish, made from the examples of its first action that has some. */
import type { Example, WorkerDefinition } from "./define-worker.ts";

export interface ExampleJobs {
  action: string;
  /** The input of the n-th job: the examples in turn. */
  input(n: number, workspaceId: string): unknown;
}

/** Undefined where no action has an example. */
export function exampleJobs({ actions }: WorkerDefinition): ExampleJobs | undefined {
  for (const [action, definition] of Object.entries(actions)) {
    const examples: readonly Example[] = definition.examples ?? [];
    if (examples.length === 0) continue;
    return {
      action,
      input: (n, workspaceId) => (examples[n % examples.length] as Example).input(n, workspaceId),
    };
  }
  return undefined;
}
