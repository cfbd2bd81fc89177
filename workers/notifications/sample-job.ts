/** Changes of items that ten of forty members follow, and now and then what must be known for that: what tl-plane sends. */
import type { SampleJobs } from "@tl-engine/shared";

const MEMBERS = 40;
const SUBSCRIBERS = 10;
const ITEMS = 1_000;
const PROJECTS = 18;
const FIRST_CHANGE_S = 1_700_000_000;
/** Of so many jobs one puts the members of a project, and one in ten puts who follows an item. */
const MEMBERS_EVERY = 100;
const FOLLOWERS_EVERY = 10;

const person = (n: number) => `person-${n % MEMBERS}`;
const updatedAt = (n: number) => new Date((FIRST_CHANGE_S + n) * 1_000).toISOString();

const sampleJobs: SampleJobs = (n) => {
  // The first is a change: that is what the engine is tried with.
  if (n % MEMBERS_EVERY === 2) return putMembers(n);
  return n % FOLLOWERS_EVERY === 1 ? putFollowers(n) : change(n);
};

const itemOf = (n: number) => ({
  projectId: `project-${(n % ITEMS) % PROJECTS}`,
  issueId: `issue-${n % ITEMS}`,
});

const putMembers = (n: number) => ({
  type: "notifications.members.v1",
  input: {
    workspaceId: "workspace-1",
    projectId: `project-${(n / MEMBERS_EVERY) % PROJECTS}`,
    put: Array.from({ length: MEMBERS }, (_, i) => ({
      ...{ id: person(i), name: `Persona ${i}`, address: `${person(i)}@example.com` },
      updatedAt: updatedAt(n),
    })),
  },
});

const putFollowers = (n: number) => ({
  type: "notifications.subscriptions.v1",
  input: {
    workspaceId: "workspace-1",
    put: [
      {
        ...{ ...itemOf(n), key: `TL-${n % ITEMS}`, name: "Renovar el certificado" },
        ...{ createdBy: person(n), assignees: [person(n + 2)], updatedAt: updatedAt(n) },
        subscribers: Array.from({ length: SUBSCRIBERS }, (_, i) => person(n + i)),
      },
    ],
  },
});

function change(n: number) {
  const epoch = FIRST_CHANGE_S + n;
  const { projectId, issueId } = itemOf(n);
  const actorId = person(n + 1);
  const entry = { issueId, actorId, epoch, verb: "updated" };
  return {
    type: "notifications.notify.v1",
    input: {
      ...{ workspaceId: "workspace-1", projectId, issueId, actorId, epoch },
      type: "issue.activity.updated",
      activities: [
        {
          ...{
            ...entry,
            id: `entry-${n}-state`,
            field: "state",
            oldValue: "Todo",
            newValue: "Done",
          },
          ...{ oldIdentifier: "todo", newIdentifier: "done" },
        },
        {
          ...entry,
          id: `entry-${n}-priority`,
          field: "priority",
          oldValue: "low",
          newValue: "high",
        },
      ],
      completedStateIds: ["done"],
    },
  };
}

export default sampleJobs;
