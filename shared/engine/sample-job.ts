/** The jobs that load an engine where it is measured or tried: as its callers send them, each a little different. */

export interface SampleJob {
  /** AMQP `type`, such as `activities.record.v1`. */
  type: string;
  input: unknown;
  /** For the engine that ends what the broker gave up: the engine whose queue the job died in. */
  diedIn?: string;
}

/**
 * What an engine's `sample-job.ts` exports as its default.
 * @param n from 0: the next one of a load, which does not touch quite the same data as the one before.
 * @param others the other engines of the fleet.
 */
export type SampleJobs = (n: number, others: readonly string[]) => SampleJob;
