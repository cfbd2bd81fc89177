/** How long a worker may take to end; all of it follows from its engine's `timeoutMs`. */
import type { WorkerDefinition } from "./define-worker.ts";

type Timed = Pick<WorkerDefinition, "timeoutMs">;

/** From the first SIGTERM until what still runs is aborted, milliseconds. */
export const drainDeadlineMs = ({ timeoutMs }: Timed) => timeoutMs + 2_000;

/** From the first SIGTERM until the process exits, whatever still hangs, milliseconds. */
export const exitDeadlineMs = (definition: Timed) => drainDeadlineMs(definition) + 5_000;
