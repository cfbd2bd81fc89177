/** Tells how a job stands, from its claim in Redis and its result in Postgres. */

import type { JobError } from "../wire/reply.ts";
import type { Claims, Progress } from "./claims.ts";
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
  /** Why it failed. */
  error?: JobError;
}

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
  if (result && !(replayed && claim.state === "running"))
    return result.status === "failed"
      ? { ...facts, state: "failed", error: result.error }
      : { ...facts, state: "succeeded" };
  if (claim?.state === "known") return { ...facts, state: "waiting" };
  return { ...facts, state: claim?.state ?? "unknown" };
}
