/** A change of state, with forty members of whom ten follow the item: what a change usually asks. */
import type { SampleJobs } from "@tl-engine/shared";

const MEMBERS = 40;
const SUBSCRIBERS = 10;
const FIRST_CHANGE_S = 1_700_000_000;

const person = (n: number) => `person-${n % MEMBERS}`;

const sampleJobs: SampleJobs = (n) => ({
  type: "notifications.recipients.v1",
  input: {
    projectId: `project-${n % 18}`,
    type: "issue.activity.updated",
    issue: {
      id: `issue-${n}`,
      key: `TL-${n}`,
      name: "Renovar el certificado",
      createdBy: person(n),
    },
    actorId: person(n + 1),
    activities: [
      {
        id: `entry-${n}`,
        verb: "updated",
        field: "state",
        oldValue: "Todo",
        newValue: "Done",
        oldIdentifier: "todo",
        newIdentifier: "done",
        epoch: FIRST_CHANGE_S + n,
      },
    ],
    assignees: [person(n + 2)],
    subscribers: Array.from({ length: SUBSCRIBERS }, (_, i) => person(n + i)),
    members: Array.from({ length: MEMBERS }, (_, i) => ({ id: person(i) })),
    completedStateIds: ["done"],
  },
});

export default sampleJobs;
