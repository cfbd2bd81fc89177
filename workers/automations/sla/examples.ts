/** Good jobs of the actions of deadlines, in both spellings. */
import type { Example } from "@tl-engine/shared";

const at = (hour: number) => new Date(Date.UTC(2026, 0, 5, hour)).toISOString();
const OFFICE = {
  timeZone: "America/Bogota",
  periods: [
    { days: ["monday", "tuesday", "wednesday", "thursday", "friday"], from: "08:00", to: "17:00" },
  ],
  holidays: ["2026-01-12"],
};
const POLICY = {
  ...{ pauseStates: ["waiting"], stopStates: ["done", "cancelled"], targetSeconds: 8 * 3_600 },
  ...{ calendar: OFFICE, warnBeforeSeconds: [3_600] },
};

export const SLA_EXAMPLES: readonly Example[] = [
  {
    title: "An item in office hours, which waited for its customer for a while.",
    input: (n) => ({
      policy: POLICY,
      items: [
        {
          ...{ id: `issue-${n}`, createdAt: at(13) },
          history: [
            { at: at(15), state: "waiting" },
            { at: at(18), state: "todo" },
          ],
        },
      ],
      now: at(20),
    }),
  },
  {
    title: "In snake_case: Linear's deadlines by priority, on business days.",
    input: (n) => ({
      policy: { stop_states: ["done"], calendar: "business_days" },
      items: [{ id: `issue-${n}`, created_at: at(9), priority: "urgent" }],
      now: at(12),
    }),
  },
];

export const POLICIES_EXAMPLES: readonly Example[] = [
  {
    title: "Eight working hours for a project's items.",
    input: (n, workspaceId) => ({
      workspaceId,
      projectId: `${workspaceId}-sla-${n}`,
      put: [{ id: "answer", policy: POLICY, updatedAt: at(8) }],
    }),
  },
  {
    title: "In snake_case: it no longer counts.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      project_id: `${workspaceId}-sla-${n}`,
      remove: [{ id: "answer", updated_at: at(9) }],
    }),
  },
];

export const TRACK_EXAMPLES: readonly Example[] = [
  {
    title: "In snake_case: an item that was there before.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      project_id: `${workspaceId}-untold-${n}`,
      items: [{ id: `issue-${n}`, created_at: at(9), history: [{ at: at(10), state: "todo" }] }],
    }),
  },
];

export const CHECK_EXAMPLES: readonly Example[] = [
  {
    title: "An item without deadlines.",
    input: (n, workspaceId) => ({
      ...{ workspaceId, projectId: `${workspaceId}-untold`, itemId: `issue-${n}` },
    }),
  },
];

export const RECHECK_EXAMPLES: readonly Example[] = [
  {
    title: "A project without items.",
    input: (n, workspaceId) => ({
      ...{ workspaceId, projectId: `${workspaceId}-untold`, cause: `policies-${n}` },
    }),
  },
];
