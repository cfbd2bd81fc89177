/** The row that every peer with a persisted result inserts: the engine's own results table, one row a job. */

export const INSERT_RESULT = `INSERT INTO engine.results
  (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, worker, started_at, finished_at)
  VALUES ($1, $2, 0, 'succeeded', NULL, 1, $3, $4, $5, NULL, $6, $7, now())`;

// The engine hashes each input; the peers are spared that and store a constant of the same length.
const INPUT_HASH = "0".repeat(43);

/** Parameters of INSERT_RESULT. */
export function resultRow(peer: string, jobId: string, reply: string, startedAt: Date): unknown[] {
  return [`bench-${peer}`, jobId, "noop.run.v1", INPUT_HASH, reply, `${peer}-1`, startedAt];
}
