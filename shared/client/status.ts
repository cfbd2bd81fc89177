/** Tells how a job stands, from its claim in Redis and its result in Postgres. */

import type { AttemptFailure, JobError } from "../wire/reply.ts";
import type { ClaimState, Claims, Progress } from "./claims.ts";
import type { Results } from "./results.ts";

export interface JobStatus {
  id: string;
  engine: string;
  /**
   * `running`: a worker holds its lease now. `waiting`: seen by a worker, between two attempts.
   * `succeeded`, `failed`: it ended. `ended`: it ended, ask with a databaseUrl how.
   * `unknown`: not seen yet: queued, or never sent.
   */
  state: "unknown" | "waiting" | "running" | "ended" | "succeeded" | "failed";
  /** As last reported by the handler. */
  progress?: Progress;
  cancelRequested: boolean;
  /** The counted run that runs, is next, or was the last, from 1; 0 for a job that failed unrun. */
  attempt?: number;
  /** Why the last counted run failed, while the job may still succeed. */
  lastError?: AttemptFailure;
  /** While it waits for its next run: when that is due, by Redis' clock. Its queue may make it later. */
  nextRunAt?: Date;
  /** Why it failed. */
  error?: JobError;
}

const isOpen = ({ state }: ClaimState) => state === "running" || state === "known";

export async function readStatus(
  id: string,
  engine: string,
  claims: Claims | undefined,
  results: Results | undefined,
): Promise<JobStatus> {
  const [claim, result] = await Promise.all([claims?.read(engine, id), results?.get(engine, id)]);
  const { cancelRequested = false, progress } = claim ?? {};
  const facts = { id, engine, cancelRequested, ...(progress && { progress }) };
  // A worker releases its claim after the result is there; but a replay runs with an old result there.
  const replayed = result && claim && claim.generation > result.generation;
  if (result && !(replayed && isOpen(claim))) {
    const { attempt } = result;
    return result.status === "failed"
      ? { ...facts, attempt, state: "failed", error: result.error }
      : { ...facts, attempt, state: "succeeded" };
  }
  if (claim === undefined || claim.state === "unknown") return { ...facts, state: "unknown" };
  const { attempt, lastError, nextRunAt } = claim;
  return {
    ...facts,
    state: claim.state === "known" ? "waiting" : claim.state,
    attempt,
    ...(lastError && { lastError }),
    ...(nextRunAt && { nextRunAt }),
  };
}
