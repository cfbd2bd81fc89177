/** Good jobs of the actions that say who is told, in both spellings. */
import type { Example } from "@tl-engine/shared";

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

export const RECIPIENTS_EXAMPLES: readonly Example[] = [
  {
    title: "An item is done.",
    input: (n) => ({
      ...{ projectId: "project-1", type: "issue.activity.updated", actorId: "luis" },
      issue: { id: `issue-${n}`, key: `TL-${n}`, name: "Renovar el certificado", createdBy: "ana" },
      activities: [
        {
          ...{ id: `entry-${n}`, verb: "updated", field: "state", oldValue: "Todo" },
          ...{ newValue: "Done", oldIdentifier: "todo", newIdentifier: "done" },
          epoch: 1_770_000_000 + n,
        },
      ],
      ...{ assignees: ["eva"], subscribers: ["ana", "eva"] },
      members: [{ id: "ana" }, { id: "eva", switches: { stateChange: false } }, { id: "luis" }],
      completedStateIds: ["done"],
    }),
  },
  {
    title: "In snake_case: a comment that mentions somebody.",
    input: (n) => ({
      type: "comment.activity.created",
      issue: { id: `issue-${n}`, identifier: `TL-${n}`, created_by: "ana" },
      actor_id: "ana",
      activities: [
        {
          ...{ id: `entry-${n}`, verb: "created", field: "comment", old_value: null },
          new_value:
            '<p>¿Lo ves, <mention-component entity_identifier="luis" entity_name="user_mention"></mention-component>?</p>',
          ...{ issue_comment: `comment-${n}`, actor: "ana", epoch: 1_770_000_000 },
        },
      ],
      subscribers: ["eva"],
      members: [
        { id: "ana", active: true, prefs: { comment: false } },
        { id: "luis", active: true, prefs: { mention: true } },
        { id: "eva", active: true, level: "participate" },
      ],
    }),
  },
];

export const MEMBERS_EXAMPLES: readonly Example[] = [
  {
    title: "Two members of a project.",
    input: (n, workspaceId) => ({
      workspaceId,
      projectId: `${workspaceId}-project-${n % 18}`,
      put: [
        {
          ...{ id: `${workspaceId}-ana-${n}`, name: "Ana", address: `ana-${n}@example.com` },
          ...{ locale: "es", timeZone: "America/Bogota", updatedAt: at(n) },
        },
        { id: `${workspaceId}-luis-${n}`, name: "Luis", updatedAt: at(n) },
      ],
    }),
  },
  {
    title: "In snake_case: somebody leaves a project.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      project_id: `${workspaceId}-project-${n % 18}`,
      remove: [{ id: `${workspaceId}-ana-${n}`, updated_at: at(n + 1) }],
    }),
  },
];

export const SUBSCRIPTIONS_EXAMPLES: readonly Example[] = [
  {
    title: "An item, and who is told of it.",
    input: (n, workspaceId) => ({
      workspaceId,
      put: [
        {
          ...{ issueId: `${workspaceId}-${n}`, projectId: `${workspaceId}-project-${n % 18}` },
          ...{ key: `TL-${n}`, name: "Renovar el certificado", createdBy: "ana" },
          ...{ subscribers: ["ana", "luis"], assignees: ["luis"], updatedAt: at(n) },
        },
      ],
    }),
  },
  {
    title: "In snake_case: somebody no longer wants to hear of it.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      remove: [{ issue_id: `${workspaceId}-${n}`, member_id: "luis", updated_at: at(n + 1) }],
    }),
  },
];

export const PREFERENCES_EXAMPLES: readonly Example[] = [
  {
    title: "In snake_case: a digest each hour, none at night, and no word of mere properties.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      member_id: `${workspaceId}-ana-${n}`,
      ...{ window_minutes: 60, quiet_from: 1_320, quiet_to: 420, level: "participate" },
      ...{ prefs: { property_change: false }, updated_at: at(n) },
    }),
  },
];

export const NOTIFY_EXAMPLES: readonly Example[] = [
  {
    title: "A change, as `activity.recorded` tells it.",
    input: (n, workspaceId) => ({
      workspaceId,
      ...{ projectId: `${workspaceId}-project-1`, issueId: `${workspaceId}-${n}`, actorId: "ana" },
      ...{ type: "issue.activity.updated", epoch: 1_770_000_000 },
      activities: [
        {
          ...{ id: `${workspaceId}-entry-${n}`, issueId: `${workspaceId}-${n}`, field: "priority" },
          ...{ oldValue: "low", newValue: "high", actorId: "ana", epoch: 1_770_000_000 },
        },
      ],
    }),
  },
];
