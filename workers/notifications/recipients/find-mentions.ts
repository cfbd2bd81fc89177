/** Finds the members whom a change mentions: in the description, and in each comment. */
import type { Steps } from "@tl-engine/shared";
import type { ChangeToTell, Entry, Member, Recipients } from "./change.ts";
import { type Mentions, mentionsIn } from "./mentions.ts";

/** The mentions of texts, so that each is read once. */
export type ReadTexts = ReadonlyMap<string, Mentions>;

type Texts = Pick<ChangeToTell, "requestedHtml" | "currentHtml"> & {
  entries: readonly Pick<Entry, "field" | "oldValue" | "newValue">[];
};

/** Reads all texts of a change that may mention somebody. */
export function* readTexts({ requestedHtml, currentHtml, entries }: Texts): Steps<ReadTexts> {
  const read = new Map<string, Mentions>();
  const texts = [requestedHtml, currentHtml];
  for (const { field, oldValue, newValue } of entries)
    if (field === "comment") texts.push(oldValue, newValue);
  for (const html of texts) {
    if (html !== null && !read.has(html)) read.set(html, yield* mentionsIn(html));
    yield;
  }
  return read;
}

export interface Mentioned {
  /** Active members in the texts as they are now, old mentions too. */
  standing: Set<string>;
  /** Those who were not mentioned before. */
  inDescription: Set<string>;
  /** The same of each comment, by its entry. */
  inComments: Map<Entry, Set<string>>;
}

const NOBODY: ReadonlySet<string> = new Set();

/** @param own the entries that stand on the item. */
export function* findMentions(
  change: ChangeToTell,
  own: readonly Entry[],
  members: ReadonlyMap<string, Member>,
  texts: ReadTexts,
  told: Recipients,
): Steps<Mentioned> {
  const isMember = (id: string) => members.get(id)?.active === true;
  const read = (what: "description" | "comment", html: string | null): ReadonlySet<string> => {
    const mentions = html === null ? undefined : texts.get(html);
    if (mentions?.isCut && !told.cutMentions.includes(what)) told.cutMentions.push(what);
    return mentions?.ids ?? NOBODY;
  };
  const now = read("description", change.requestedHtml);
  const before = read("description", change.currentHtml);
  const inDescription = new Set([...now.difference(before)].filter(isMember));
  told.mentionsAdded.push(...inDescription);
  if (change.requestedHtml !== null)
    told.mentionsRemoved.push(...[...before.difference(now)].filter(isMember));
  const standing = new Set([...now].filter(isMember));
  const inComments = new Map<Entry, Set<string>>();
  for (const entry of own) {
    yield;
    if (entry.field !== "comment") continue;
    const inNew = read("comment", entry.newValue);
    const fresh = inNew.difference(read("comment", entry.oldValue));
    for (const id of inNew) if (isMember(id)) standing.add(id);
    inComments.set(entry, new Set([...fresh].filter(isMember)));
  }
  return { standing, inDescription, inComments };
}
