/** What a simulation comes to: per engine, for the whole fleet, and over time. */

/** Seconds that jobs waited, from their publishing to the start of their first run. */
export interface Waits {
  meanS: number;
  p50S: number;
  p95S: number;
  p99S: number;
  maxS: number;
}

/** What the services would count, of one engine. */
export interface Usage {
  /** At most: two a job, and what a worker asks at its start. Jobs that come together share one. */
  redisCommands: number;
  /** Jobs, replies and events that are published. */
  brokerMessages: number;
  /** Rows that are inserted: one result a job, and the engine's own. */
  postgresRows: number;
  /** At the most replicas that there were. */
  postgresConnections: number;
  amqpConnections: number;
  redisConnections: number;
}

/** One engine's figures over time: one number for each bin. */
export interface Series {
  /** Seconds of a bin. */
  binS: number;
  /** Jobs per second, the mean of the bin. */
  arrivedPerS: number[];
  donePerS: number[];
  /** The most in the bin. */
  waiting: number[];
  /** Pods that were started in the bin: at its end the ready ones may be as many as before. */
  starts: number[];
  /** Ready and draining pods at its end, and what the Deployment asks for. */
  ready: number[];
  draining: number[];
  wanted: number[];
  /** Of jobs that started in the bin. */
  p95WaitS: number[];
}

export interface EngineResult {
  engine: string;
  /** Jobs published. */
  jobs: number;
  done: number;
  /** At the end: jobs = done + waiting + running. */
  waiting: number;
  running: number;
  /** Waited longer than `targetWaitS`. */
  late: number;
  targetWaitS: number;
  wait: Waits;
  maxReplicas: number;
  /** The ScaledObject's ceiling. */
  maxReplicaCount: number;
  /** Paid-for hours: starting, ready and draining. */
  podHours: number;
  costUsd: number;
  podsStarted: number;
  /** Pods told to stop while they ran jobs; they drain. */
  podsStoppedBusy: number;
  /** Pods whose jobs did not fit into the drain. */
  podsKilled: number;
  /** Jobs that a worker gave back, by such a kill or a lost broker, and that ran again. */
  jobsGivenBack: number;
  usage: Usage;
  series: Series;
}

export interface Result {
  load: string;
  title: string;
  seed: string;
  durationS: number;
  /** Seconds after midnight UTC at the beginning. */
  clockS: number;
  engines: EngineResult[];
  jobs: number;
  done: number;
  late: number;
  wait: Waits;
  /** The most pods of the fleet at one time, draining ones included. */
  maxPods: number;
  podHours: number;
  costUsd: number;
  maxNodes: number;
  nodeHours: number;
}

/** What the cluster's owner pays for a pod's requests. */
export interface PodPrices {
  usdPerCpuHour: number;
  usdPerGibHour: number;
}

/** OpenCost's defaults, https://github.com/opencost/opencost/blob/develop/configs/default.json */
export const DEFAULT_PRICES: PodPrices = { usdPerCpuHour: 0.031611, usdPerGibHour: 0.004237 };

const HOURS_A_MONTH = 730;

/** Factor from a result's sums to those of a month of 730 h like it. Simulate seven days for the weekdays' mix. */
export const perMonth = ({ durationS }: Pick<Result, "durationS">) =>
  (HOURS_A_MONTH * 3_600) / durationS;
