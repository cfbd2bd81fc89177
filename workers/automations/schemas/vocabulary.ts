/** Words of the contract that several schemas use, and the ceilings of all lists. */
import { storable } from "@tl-engine/shared";
import { z } from "zod";

/** Ceilings. A list of a job past its own is `invalid_input`; a rule past one is left out with a warning. */
export const CEILINGS = {
  /** A chain of rules that set off each other ends here, as in Jira. */
  depth: 10,
  /** Actions of a rule, as in Jira. */
  steps: 65,
  /** Items that the actions of one evaluation may touch together, as in Jira. */
  items: 5_000,
  /** Conditions of a rule, groups included. */
  conditions: 1_000,
  /** Groups within groups. */
  nesting: 10,
  /** Values that a condition compares with. */
  valuesPerCondition: 500,
  /** Rules of one job or set. */
  rules: 1_000,
  /** Rules, of all sets, that are tried on one event. */
  rulesPerEvent: 2_000,
  setsPerJob: 50,
  itemsPerJob: 5_000,
  changesPerEvent: 1_000,
  /** The entries of an event, each of an item of its own, and the item that it is about. */
  itemsPerEvent: 1_001,
  /** Changes of all items of an event together: a state is two, itself and its group. */
  changesPerJob: 5_000,
  idLength: 255,
  idsPerField: 1_000,
  /** Characters of a text of an item. */
  textLength: 100_000,
  /** Characters of a text that is kept of an item; the rest is cut off. */
  keptTextLength: 10_000,
  /** Characters of the actions of all rules that one event fires. */
  firedLength: 4_000_000,
  /** Characters that a regular expression looks at, and that it has. */
  matchedLength: 2_000,
  patternLength: 500,
  /** Instructions that a regular expression compiles to: with `matchedLength` it bounds its time. */
  patternSize: 3_000,
  /** Characters of a rule's actions as JSON: they are an event, of which few may be much. */
  actionsLength: 262_144,
  warningsListed: 100,
  /** Conditions that a rule that did not match is explained by. */
  explained: 20,
} as const;

/** An opaque id of the tracker's. */
export const Id = storable(CEILINGS.idLength).min(1);

/** Epoch seconds that are surely no milliseconds (the limit is in the year 5138). */
export const Epoch = z
  .number()
  .min(0)
  .max(99_999_999_999)
  .describe("UTC seconds since 1970, fractions allowed.");

export const Warning = z.object({
  code: z.string().describe("What kind of doubt it is."),
  path: z.string().describe("The element that it is about."),
  message: z.string().describe("What is wrong with it, in words."),
});
export type Warning = z.output<typeof Warning>;

/** What happens to an item, in the words of `activities`, where `issue.activity.` reads `item.`. */
export const EVENT_TYPES = [
  "item.created",
  "item.updated",
  "item.deleted",
  "comment.created",
  "comment.updated",
  "comment.deleted",
  "link.created",
  "link.updated",
  "link.deleted",
  "attachment.created",
  "attachment.deleted",
  "relation.created",
  "relation.deleted",
  "reaction.created",
  "reaction.deleted",
  "vote.created",
  "vote.deleted",
  "intake.created",
  "sla.due",
  "sla.breached",
  "scheduled",
  "manual",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];
