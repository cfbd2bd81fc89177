/** Who is told of the history: the members of its projects, who follows which item, and who is mentioned in comments. */
import { randomFrom } from "../../show/random.ts";
import type { PlannedJob } from "./plan.ts";
import type { ChangeInput } from "./plan-issue.ts";
import type { PlaneIds } from "./plane.ts";

/** A person who gets mail, and how. */
export interface Reader {
  id: string;
  name: string;
  address: string;
  locale: "es" | "en";
  timeZone: string;
  level: "global" | "participate" | "mention";
  /** Whether changes of mere properties are mailed to them. */
  propertyChange: boolean;
}

export interface Audience {
  readers: Reader[];
  /** By item: who created it, and who follows it. */
  items: Map<string, FollowedItem>;
  /** Job id of a comment → who it mentions. */
  mentions: Map<string, string>;
  /** The comments' jobs. */
  comments: PlannedJob[];
}

export interface FollowedItem {
  projectId: string;
  createdBy: string;
  subscribers: string[];
}

/**
 * Mail is gathered for a minute at least, so only what is over early in the replay is mailed: its windows end while
 * the rest is replayed.
 */
const MAILED_SHARE = 0.15;
/** Of a mailed item the readers who follow it. */
const READERS_PER_ITEM = 2;
const COMMENTED_SHARE = 0.3;
/** People who follow items without mail. */
const TEAM = 12;

const READERS = [
  ["Ana Ruiz", "es", "Europe/Madrid", "global", true],
  ["Luis Mora", "es", "America/Bogota", "global", false],
  ["Eva Lund", "en", "Europe/Stockholm", "global", true],
  ["Tom Hale", "en", "America/New_York", "mention", true],
  ["Inés Paz", "es", "America/Santiago", "participate", true],
  ["Mei Tan", "en", "Asia/Singapore", "global", true],
] as const;

/** @param jobs by time. */
export function gatherAudience(jobs: readonly PlannedJob[], ids: PlaneIds, seed: string): Audience {
  const rng = randomFrom(`${seed}/audience`);
  const readers = READERS.map(([name, locale, timeZone, level, propertyChange], n): Reader => {
    const address = `reader-${n}@tl.example`;
    return {
      ...{ id: ids("users", `reader ${name}`), name, address },
      locale,
      timeZone,
      level,
      propertyChange,
    };
  });
  const items = new Map<string, FollowedItem>();
  const last = new Map<string, number>();
  const team = busiest(jobs);
  for (const [place, { input, projectId }] of jobs.entries()) {
    last.set(input.issueId, place);
    if (items.has(input.issueId)) continue;
    const { actorId: createdBy } = input;
    const other = team[rng.below(team.length)] ?? createdBy;
    const subscribers = [...new Set(team.includes(createdBy) ? [createdBy, other] : [other])];
    items.set(input.issueId, { projectId, createdBy, subscribers });
  }
  const mentions = new Map<string, string>();
  const comments: PlannedJob[] = [];
  for (const [issueId, place] of last) {
    if (place >= jobs.length * MAILED_SHARE) continue;
    const item = items.get(issueId) as FollowedItem;
    const first = rng.below(readers.length);
    for (let n = 0; n < READERS_PER_ITEM; n++)
      item.subscribers.push((readers[(first + n) % readers.length] as Reader).id);
    if (rng.next() > COMMENTED_SHARE) continue;
    const mentioned = readers[rng.below(readers.length)] as Reader;
    const comment = commentOn(jobs[place] as PlannedJob, mentioned, ids);
    comments.push(comment);
    mentions.set(comment.id, mentioned.id);
  }
  return { readers, items, mentions, comments };
}

/** The people who do most: they follow what they create, and what others do. */
function busiest(jobs: readonly PlannedJob[]): string[] {
  const counts = new Map<string, number>();
  for (const { input } of jobs) counts.set(input.actorId, (counts.get(input.actorId) ?? 0) + 1);
  const byCount = [...counts].sort(([, a], [, b]) => b - a);
  return byCount.slice(0, TEAM).map(([id]) => id);
}

/** Said at the time of the item's last change, by who made it. */
function commentOn({ id, projectId, input }: PlannedJob, { id: reader }: Reader, ids: PlaneIds) {
  const html = `<p>Done, please look: <mention-component entity_identifier="${reader}" entity_name="user_mention"></mention-component></p>`;
  const comment: ChangeInput = {
    ...input,
    type: "comment.activity.created",
    requested: { id: ids("comment", id), comment_html: html },
    current: null,
    lookups: { states: {}, labels: {}, users: {}, estimates: {}, issues: {} },
  };
  return { id: `${id}.comment`, projectId, input: comment };
}
