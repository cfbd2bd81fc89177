/** Turns the events of deadlines into the input of `react`, so that rules hear of them. */
import { z } from "zod";

const DeadlineEvent = z.object({
  workspaceId: z.string(),
  projectId: z.string(),
  itemId: z.string(),
  dueAt: z.string().nullish(),
  breachedAt: z.string().optional(),
});

/** What rules take. */
const MAX_EPOCH_S = 99_999_999_999;

/** Throws a ZodError when it is no such event. */
export function deadlineReactInputOf(type: "sla.breached" | "sla.due", event: unknown): unknown {
  const { workspaceId, projectId, itemId, dueAt, breachedAt } = DeadlineEvent.parse(event);
  const atMs = Date.parse(breachedAt ?? dueAt ?? "");
  return {
    ...{ workspaceId, projectId },
    epoch: Number.isNaN(atMs) ? 0 : Math.min(MAX_EPOCH_S, Math.max(0, atMs / 1_000)),
    items: [{ id: itemId, type, changes: [], known: {} }],
  };
}
