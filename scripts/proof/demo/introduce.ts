/** What is made known before the replay: who is there, how they want to be told, who follows what, and the rules. */
import type {
  NotificationsMembersInput,
  NotificationsPreferencesInput,
  NotificationsSubscriptionsInput,
} from "../../../shared/client/contract.ts";
import type { Plan } from "./plan.ts";

const MOST_ITEMS = 500;
const DAY_S = 86_400;

export interface Introduction {
  members: NotificationsMembersInput[];
  preferences: NotificationsPreferencesInput[];
  subscriptions: NotificationsSubscriptionsInput[];
}

/**
 * Said as of after the history's end, so that no change of it makes or unmakes a follower: who is told is then the
 * same in whatever order the changes come.
 */
export function introduce({
  workspaceId,
  projects,
  jobs,
  audience,
  keyOfItem,
}: Plan): Introduction {
  const updatedAt = new Date(((jobs.at(-1)?.input.epoch ?? 0) + DAY_S) * 1_000).toISOString();
  const { readers, items } = audience;
  const followed = [...items].map(([issueId, item]) => ({
    issueId,
    ...item,
    // The history has no titles.
    name: keyOfItem.get(issueId),
    assignees: [],
    updatedAt,
  }));
  const byProject = Map.groupBy(followed, ({ projectId }) => projectId);
  const isRead = new Set(readers.map(({ id }) => id));
  // Mails name who made a change; of changes that nobody is mailed of, nobody needs to know.
  const actors = new Map(projects.map(({ id }) => [id, new Set<string>()]));
  const names = new Map<string, string>();
  for (const { input, projectId } of jobs) {
    for (const [id, { name }] of Object.entries(input.lookups.users)) names.set(id, name);
    const isMailed = items.get(input.issueId)?.subscribers.some((id) => isRead.has(id));
    if (isMailed) actors.get(projectId)?.add(input.actorId);
  }
  const members = projects.flatMap(({ id: projectId }) => {
    const followers = (byProject.get(projectId) ?? []).flatMap((item) => item.subscribers);
    const others = new Set(followers)
      .union(actors.get(projectId) ?? new Set<string>())
      .difference(isRead);
    const put = [
      ...readers.map(({ id, name, address, locale, timeZone }) => ({
        id,
        name,
        address,
        locale,
        timeZone,
        updatedAt,
      })),
      ...[...others].map((id) => ({ id, name: names.get(id), updatedAt })),
    ];
    return chunksOf(put).map((chunk) => ({ workspaceId, projectId, put: chunk }));
  });
  const preferences = readers.map(({ id, level, propertyChange }) => ({
    ...{ workspaceId, memberId: id, level, updatedAt },
    ...{ windowMinutes: 1, switches: { propertyChange } },
  }));
  const subscriptions = chunksOf(followed).map((put) => ({ workspaceId, put }));
  return { members, preferences, subscriptions };
}

function chunksOf<Element>(elements: Element[]): Element[][] {
  const chunks: Element[][] = [];
  for (let from = 0; from < elements.length; from += MOST_ITEMS)
    chunks.push(elements.slice(from, from + MOST_ITEMS));
  return chunks;
}
