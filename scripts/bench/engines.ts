/**
 * The engines themselves through the whole fleet path, with results, replies and events: what a replica
 * does in a second, which the targets of keda/ follow from.
 */
import type { WorkerDefinition } from "../../shared/engine/define-worker.ts";
import activities from "../../workers/activities/index.ts";
import analytics from "../../workers/analytics/index.ts";
import burials from "../../workers/burials/index.ts";
import { median } from "../show/statistics.ts";
import { engineCommand } from "./contestants.ts";
import type { Harness } from "./harness.ts";
import { type AmqpJob, amqpLane } from "./lanes.ts";
import { ID_PREFIX } from "./load.ts";
import { type Measurement, measure } from "./throughput.ts";

interface MeasuredEngine {
  definition: WorkerDefinition;
  /** Part of the jobs that it gets, so that each engine takes about as long. */
  share: number;
  job(n: number, harness: Harness): AmqpJob;
  /** Whether every job ends as succeeded; what burials ends has failed. */
  succeeds: boolean;
}

export const MEASURED_ENGINES: MeasuredEngine[] = [
  { definition: activities, share: 1, job: changeSet, succeeds: true },
  { definition: analytics, share: 1, job: historyOfOneItem, succeeds: true },
  { definition: burials, share: 0.4, job: deadJob, succeeds: false },
];

/** The entry of a worker, from the repository. */
export const entryOf = ({ name }: WorkerDefinition) => `workers/${name}/index.ts`;

export interface EngineMeasurement extends Measurement {
  engine: string;
}

export async function measureEngines(
  harness: Harness,
  jobs: number,
  rounds: number,
): Promise<EngineMeasurement[]> {
  const measured: EngineMeasurement[] = [];
  for (const engine of MEASURED_ENGINES)
    measured.push(await measureOne(engine, harness, jobs, rounds));
  return measured;
}

async function measureOne(
  { definition, share, job, succeeds }: MeasuredEngine,
  harness: Harness,
  jobs: number,
  rounds: number,
): Promise<EngineMeasurement> {
  const { names } = harness;
  const { name } = definition;
  // What the broker dead-letters comes by an exchange of its own.
  const exchange = definition === burials ? names.burials : names.jobs;
  const queue = names.queue(name);
  const lane = amqpLane(harness, { exchange, routingKey: name, queue }, (n) => job(n, harness));
  const command = engineCommand(harness, name, entryOf(definition));
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round++) {
    const idPrefix = `${ID_PREFIX}${Date.now().toString(36)}-${name}-${round}`;
    const contestant = { lane, command, persists: succeeds };
    measurements.push(await measure(contestant, Math.ceil(jobs * share), idPrefix, harness));
  }
  const middle = (field: keyof Measurement) => median(measurements.map((each) => each[field]));
  return {
    engine: name,
    jobsPerSecond: middle("jobsPerSecond"),
    cpuUsPerJob: middle("cpuUsPerJob"),
    peakRssMb: middle("peakRssMb"),
  };
}

/** A change set as a tracker sends it: a new state, a new priority, one label more and one less. */
function changeSet(n: number): AmqpJob {
  const body = {
    type: "issue.activity.updated",
    issueId: `issue-${n % 1_000}`,
    projectId: "project-1",
    workspaceId: "workspace-1",
    actorId: `user-${n % 10}`,
    epoch: 1_700_000_000 + n,
    requested: { state_id: "doing", priority: "high", label_ids: ["bug", "backend"] },
    current: { state_id: "todo", priority: "low", label_ids: ["bug", "frontend"] },
    lookups: {
      states: {
        todo: { name: "To do", group: "unstarted" },
        doing: { name: "Doing", group: "started" },
      },
      labels: {
        bug: { name: "Bug" },
        backend: { name: "Back end" },
        frontend: { name: "Front end" },
      },
    },
  };
  return { type: "activities.record.v1", body: Buffer.from(JSON.stringify(body)) };
}

const FIRST_CHANGE_MS = 1_700_000_000_000;

/** Two changes of one item: what an event of `activities` brings, as a job with a reply. */
function historyOfOneItem(n: number): AmqpJob {
  const at = new Date(FIRST_CHANGE_MS + n * 1_000).toISOString();
  const history = [
    { at, field: "state", from: "todo", to: "doing" },
    { at, field: "label", from: "frontend", to: "backend" },
  ];
  const body = {
    workspaceId: "workspace-1",
    projectId: `project-${n % 18}`,
    items: [{ id: `issue-${n % 5_000}`, history }],
  };
  return { type: "analytics.ingest.v1", body: Buffer.from(JSON.stringify(body)) };
}

/** A job of `activities` whose expiration passed, as the broker hands it on. */
function deadJob(n: number, { names }: Harness): AmqpJob {
  return {
    ...changeSet(n),
    headers: { "x-death": [{ queue: names.queue(activities.name), reason: "expired" }] },
  };
}
