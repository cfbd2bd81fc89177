/** The engine `activities` through the whole fleet path: change sets a second, with results, replies and events. */
import { engineCommand } from "./contestants.ts";
import type { Harness } from "./harness.ts";
import { type AmqpJob, amqpLane } from "./lanes.ts";
import { ID_PREFIX } from "./load.ts";
import { median } from "./statistics.ts";
import { type Measurement, measure } from "./throughput.ts";

export const ACTIVITIES_DEFINITION = "../../workers/activities/index.ts";

export async function measureActivities(
  harness: Harness,
  jobs: number,
  rounds: number,
): Promise<Measurement> {
  const { names } = harness;
  const queue = names.queue("activities");
  const lane = amqpLane(
    harness,
    { exchange: names.jobs, routingKey: "activities", queue },
    changeSetJob,
  );
  const command = engineCommand(harness, "activities", ACTIVITIES_DEFINITION);
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round++) {
    const idPrefix = `${ID_PREFIX}${Date.now().toString(36)}-activities-${round}`;
    measurements.push(await measure({ lane, command, persists: true }, jobs, idPrefix, harness));
  }
  const middle = (field: keyof Measurement) => median(measurements.map((each) => each[field]));
  return {
    jobsPerSecond: middle("jobsPerSecond"),
    cpuUsPerJob: middle("cpuUsPerJob"),
    peakRssMb: middle("peakRssMb"),
  };
}

/** A change set as a tracker sends it: a new state, a new priority, one label more and one less. */
function changeSetJob(n: number): AmqpJob {
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
