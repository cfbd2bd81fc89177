/** A change set as a tracker sends it: a new state, a new priority, one label more and one less. */
import type { SampleJobs } from "@tl-engine/shared";

const ITEMS = 1_000;
const ACTORS = 10;
const FIRST_CHANGE_S = 1_700_000_000;

const sampleJobs: SampleJobs = (n) => ({
  type: "activities.record.v1",
  input: {
    type: "issue.activity.updated",
    issueId: `issue-${n % ITEMS}`,
    projectId: "project-1",
    workspaceId: "workspace-1",
    actorId: `user-${n % ACTORS}`,
    epoch: FIRST_CHANGE_S + n,
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
  },
});

export default sampleJobs;
