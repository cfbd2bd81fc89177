/** What a digest says, line by line, in the receiver's language and time: HTML and text show the same. */
import type { MailEntry } from "./entry.ts";
import {
  type ActorGroup,
  type FieldChange,
  groupEntries,
  type ItemGroup,
  isSingle,
} from "./group.ts";
import {
  dateText,
  fieldName,
  type Locale,
  localeOf,
  valueText,
  type Words,
  wordsOf,
} from "./words.ts";
import { offsetAt } from "./zones.ts";

const DAY_MS = 86_400_000;
const MAX_VALUES = 5;
const MAX_LINES = 20;

/** One line below a person's name. */
export interface Line {
  /** The field, or all there is to say. */
  label: string;
  /** A single value before and after; each may be missing. */
  from?: string | undefined;
  to?: string | undefined;
  added?: string[];
  removed?: string[];
  /** What somebody wrote. */
  quote?: string;
}

export interface ActorView {
  name: string;
  time: string;
  lines: Line[];
}

export interface ItemView {
  key: string | null;
  name: string;
  url: string | undefined;
  why: string | undefined;
  due: string | undefined;
  actors: ActorView[];
}

export interface DigestView {
  locale: Locale;
  words: Words;
  subject: string;
  headline: string;
  items: ItemView[];
  settingsUrl: string | undefined;
  unsubscribeUrl: string | undefined;
}

export interface Reader {
  locale: string | null;
  timeZone: string;
}

export interface Links {
  /** URL with {workspaceId}, {projectId}, {issueId} and {issueKey}; undefined: no item is linked. */
  issueUrl: string | undefined;
  settingsUrl: string | undefined;
  unsubscribeUrl: string | undefined;
}

/** @param nowMs when it is sent, which is what "today" and "tomorrow" are reckoned from. */
export function viewDigest(
  entries: readonly MailEntry[],
  reader: Reader,
  links: Links,
  nowMs: number,
): DigestView {
  const locale = localeOf(reader.locale);
  const words = wordsOf(locale);
  const clock = clockOf(reader.timeZone, locale, nowMs);
  const groups = groupEntries(entries);
  const updates = groups
    .flatMap(({ actors }) => actors.flatMap(({ changes }) => changes))
    .reduce((sum, { count }) => sum + count, 0);
  const headline =
    updates === 0
      ? words.dueSoon(groups.length)
      : `${words.updates(updates)} ${words.in} ${words.items(groups.length)}`;
  const items = groups.map((group) => itemView(group, words, clock, links));
  return {
    ...{ locale, words, headline, items },
    subject: subjectOf(items, headline, updates, words),
    settingsUrl: links.settingsUrl,
    unsubscribeUrl: links.unsubscribeUrl,
  };
}

function subjectOf(items: ItemView[], headline: string, updates: number, words: Words): string {
  const [only] = items;
  if (items.length !== 1 || only === undefined) return headline;
  const title = [only.key, only.name].filter(Boolean).join(" ");
  return `${title}: ${updates === 0 && only.due ? only.due : words.updates(updates)}`;
}

interface Clock {
  locale: Locale;
  time(atMs: number): string;
  /** Days from today to a date such as `2026-05-05`; NaN for none. */
  daysTo(date: string): number;
}

function clockOf(timeZone: string, locale: Locale, nowMs: number): Clock {
  const localMs = (atMs: number) => atMs + offsetAt(timeZone, atMs).offsetMs;
  const today = Math.floor(localMs(nowMs) / DAY_MS);
  return {
    locale,
    time(atMs) {
      const [date = "", time = ""] = new Date(localMs(atMs)).toISOString().split("T");
      const isToday = Math.floor(localMs(atMs) / DAY_MS) === today;
      return `${isToday ? "" : `${dateText(locale, date)}, `}${time.slice(0, 5)}`;
    },
    daysTo: (date) => Date.parse(`${date.slice(0, 10)}T00:00:00Z`) / DAY_MS - today,
  };
}

function itemView(group: ItemGroup, words: Words, clock: Clock, links: Links): ItemView {
  const { key, name, reason, dueDate, actors } = group;
  const because = Object.hasOwn(words.reasons, reason) ? words.reasons[reason] : undefined;
  return {
    key,
    name: name ?? (key === null ? words.untitled : ""),
    url: links.issueUrl && urlOf(links.issueUrl, group),
    why: because,
    due: dueDate === null ? undefined : dueText(dueDate, words, clock),
    actors: actors.map((actor) => actorView(actor, words, clock)),
  };
}

const PLACEHOLDER = /\{(workspaceId|projectId|issueId|issueKey)\}/g;

function urlOf(template: string, group: ItemGroup): string {
  const { workspaceId, projectId, issueId, key } = group;
  const values: Record<string, string> = {
    workspaceId,
    projectId,
    issueId,
    issueKey: key ?? issueId,
  };
  return template.replace(PLACEHOLDER, (_, name: string) =>
    encodeURIComponent((values[name] ?? "").toWellFormed()),
  );
}

function dueText(dueDate: string, words: Words, clock: Clock): string {
  const days = clock.daysTo(dueDate);
  const { overdue, today, tomorrow, later } = words.due;
  const when = days < 0 ? overdue : days === 0 ? today : days === 1 ? tomorrow : later;
  return `${when} ${dateText(clock.locale, dueDate)}`;
}

function actorView(actor: ActorGroup, words: Words, clock: Clock): ActorView {
  const lines = actor.changes
    .slice(0, MAX_LINES)
    .map((change) => lineOf(change, words, clock.locale));
  const left = actor.changes.length - lines.length;
  if (left > 0) lines.push({ label: words.more(left) });
  return { name: actor.actorName || words.somebody, time: clock.time(actor.atMs), lines };
}

function lineOf(change: FieldChange, words: Words, locale: Locale): Line {
  const { field, verb, to, added } = change;
  switch (field) {
    case "issue":
      return {
        label:
          verb === "deleted" ? words.deleted : verb === "created" ? words.created : words.changed,
      };
    case "description":
      return { label: words.described };
    case "archived_at":
      return { label: to === "restore" ? words.restored : words.archived };
    case "mention":
      return {
        label: words.mentionedYou,
        ...(added.length > 0 && { quote: few(added, words).join(" · ") }),
      };
    case "comment":
      return added.length > 0
        ? { label: words.commented, quote: few(added, words).join(" · ") }
        : { label: words.commentChanged };
    default:
      return valueLine(change, words, locale);
  }
}

function valueLine(
  { field, from, to, added, removed }: FieldChange,
  words: Words,
  locale: Locale,
): Line {
  const label = fieldName(locale, field);
  const text = (value: string) => valueText(locale, field, value);
  if (isSingle(field))
    return { label, from: from ? text(from) : undefined, to: to ? text(to) : undefined };
  if (added.length + removed.length === 0) return { label };
  return { label, added: few(added.map(text), words), removed: few(removed.map(text), words) };
}

function few(values: string[], words: Words): string[] {
  if (values.length <= MAX_VALUES) return values;
  return [...values.slice(0, MAX_VALUES), words.more(values.length - MAX_VALUES)];
}
