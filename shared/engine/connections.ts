/** How many connections to Postgres a worker needs; all of it follows from its engine's definition. */
import { StartFailure } from "../process/start-failure.ts";
import type { WorkerDefinition } from "./define-worker.ts";

/** What one worker's pool is made for. */
export interface ConnectionPlan {
  /** Transactions at once, of jobs and of batches. */
  transactions: number;
  /** Connections that may be open at once; none is while the worker is idle. */
  poolMax: number;
}

const DEFAULT_TRANSACTIONS = 8;
/** The one that group commits go through. */
const COMMITS = 1;
/** What runs beside the jobs: one for a transaction, one for reads beside it. */
const BACKGROUND = 2;
/** So that the look at a stored row does not wait for a commit. */
const LEAST = 2;

/** Of jobs alone: see `transactions` in the definition. */
export function jobTransactions({ actions, concurrency, transactions }: WorkerDefinition): number {
  const hasHandlers = Object.values(actions).some(({ handle }) => handle !== undefined);
  return hasHandlers ? (transactions ?? Math.min(concurrency, DEFAULT_TRANSACTIONS)) : 0;
}

/**
 * @param poolMax DATABASE_POOL_MAX, where it is given: more than needed goes to reads.
 * @throws {StartFailure} where it is less than the definition needs.
 */
export function planConnections(
  definition: WorkerDefinition,
  poolMax: number | undefined,
): ConnectionPlan {
  const actions = Object.values(definition.actions);
  const batches = actions.filter(({ handleBatch }) => handleBatch !== undefined).length;
  const transactions = jobTransactions(definition) + batches;
  // A handler in a transaction may read beside it; so there is always one that no transaction takes.
  const reads = actions.length > batches ? 1 : 0;
  const beside = definition.background === undefined ? 0 : BACKGROUND;
  const needed = Math.max(LEAST, transactions + reads + beside + COMMITS);
  if (poolMax === undefined) return { transactions, poolMax: needed };
  if (poolMax >= needed) return { transactions, poolMax };
  throw new StartFailure(
    "postgres",
    "DATABASE_POOL_MAX",
    `DATABASE_POOL_MAX=${poolMax} is too few for ${definition.name}: ${transactions} transactions at once, ${reads} for reads and ${COMMITS} for results need ${needed}. Raise it, leave it unset, or lower \`transactions\` in defineWorker`,
    { temporary: false },
  );
}
