/** How long a worker may take to end, itself and what it holds; all of it follows from its engine's `timeoutMs`. */
import type { WorkerDefinition } from "./define-worker.ts";

type Timed = Pick<WorkerDefinition, "timeoutMs">;

/** From the first SIGTERM until what still runs is aborted, milliseconds. */
export const drainDeadlineMs = ({ timeoutMs }: Timed) => timeoutMs + 2_000;

/** From the first SIGTERM until the process exits, whatever still hangs, milliseconds. */
export const exitDeadlineMs = (definition: Timed) => drainDeadlineMs(definition) + 5_000;

/**
 * What may pass around a handler while all is well: a second for the claim, 15 s for a connection to Postgres and
 * 15 s for a statement on it, 20 s until a publishing connection that confirms nothing is replaced; and some.
 */
const AROUND_HANDLER_MS = 60_000;

/** A worker that holds deliveries has seen none of them end for longer than it should, milliseconds. */
export const stuckAfterMs = ({ timeoutMs }: Timed) => timeoutMs + AROUND_HANDLER_MS;
