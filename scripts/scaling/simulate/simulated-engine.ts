/** What the simulator needs to know of an engine. */

import type { PodSize } from "../../kubernetes/read/workload.ts";
import type { ScaledObject } from "../keda/scaled-object.ts";

export interface SimulatedEngine {
  name: string;
  scaledObject: ScaledObject;
  /** Jobs that one pod runs at once. */
  concurrency: number;
  /** Ceiling of one run of a job. */
  timeoutMs: number;
  /** From SIGTERM until what still runs is given back. */
  drainS: number;
  /** Jobs per second that one full pod does, at its CPU limit. */
  jobsPerSecond: number;
  /** How long a worker holds a job when it has little to do, at most. */
  lightJobS: number;
  /** A job that waits longer is late. */
  targetWaitS: number;
  /** Of the whole load, from 0 to 1. */
  share: number;
  /** Whether its jobs come from callers; else they are events, which count with the engine that announces them. */
  isPublished: boolean;
  /** Events that a job announces, on average. */
  eventsPerJob: number;
  /** Rows that a job adds to the engine's own tables, and the bytes that stay there of it. */
  ownRowsPerJob: number;
  ownBytesPerJob: number;
  /** Months after which its own purge takes them (Infinity: never), and the bytes that stay all the same. */
  ownRetentionMonths: number;
  ownBytesPerJobKept: number;
  podSize: PodSize;
}
