/** Input and output of `ingest`. */
import { anySpelling, describedAs, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { CEILINGS, Id, Instant, storable } from "./vocabulary.ts";

/** An element that is checked on its own later, so that a bad one becomes a warning and its neighbours live. */
const tolerant = <Schema extends z.ZodType>(schema: Schema) => describedAs(z.unknown(), schema);

/**
 * What the history keeps of a work item. `state` and `points` have one value (the change sets it
 * to `to`); `label` and `cycle` are sets (the change takes `from` out and puts `to` in);
 * `deleted` needs neither. Other fields are no concern of flow metrics and are skipped silently.
 */
export const FIELDS = ["state", "points", "label", "cycle", "deleted"] as const;
export type Field = (typeof FIELDS)[number];

const FieldValue = z.union([Id, z.number(), z.literal("")]).nullish();

export const HistoryChange = z
  .object({
    id: Id.optional().describe(
      "Makes repeats recognisable; by default derived from item, field, time and values.",
    ),
    at: Instant.describe("When it happened, ISO-8601."),
    field: z
      .string()
      .max(100)
      .describe("`state`, `points`, `label`, `cycle` or `deleted`; others are skipped."),
    from: FieldValue.describe(
      "State, label or cycle id, or points, before the change; null, empty or absent is none.",
    ),
    to: FieldValue.describe("The same after the change."),
  })
  .meta({ title: "HistoryChange", description: "One change of an item." });
export type HistoryChange = z.output<typeof HistoryChange>;

export const IngestItem = z
  .object({
    id: Id.describe("The item."),
    createdAt: Instant.optional().describe(
      "When it was created. Absent when only some changes are known; the item then exists from the earliest of them.",
    ),
    history: z
      .array(tolerant(HistoryChange))
      .max(CEILINGS.historyPerItem)
      .default([])
      .describe("Its changes, in any order."),
    // As they are after the last change of `history`: the values at creation are found by undoing it.
    state: Id.nullish().describe(
      "Its state now. Like the next four it only counts beside `createdAt`.",
    ),
    points: z
      .union([z.number(), storable(100)])
      .nullish()
      .describe("Its points now."),
    labels: z.array(Id).max(CEILINGS.idsPerItem).default([]).describe("Its labels now."),
    cycle: Id.nullish().describe("Its cycle now."),
    cycles: z
      .array(Id)
      .max(CEILINGS.idsPerItem)
      .default([])
      .describe("For items in several cycles; adds to `cycle`."),
  })
  .meta({ title: "IngestItem", description: "One item, with what is known of its history." });
export type IngestItem = z.output<typeof IngestItem>;

const lengthOf = (list: unknown) => (Array.isArray(list) ? list.length : 0);
type Unchecked = { history?: unknown; labels?: unknown; cycles?: unknown } | null | undefined;

const changesIn = (items: readonly unknown[]) =>
  items.reduce<number>((sum, item) => sum + lengthOf((item as Unchecked)?.history), 0);
const idsIn = (items: readonly unknown[]) =>
  items.reduce<number>((sum, item) => {
    const { labels, cycles } = (item as Unchecked) ?? {};
    return sum + lengthOf(labels) + lengthOf(cycles);
  }, 0);

/** How much work the items are. */
export const elementsIn = (items: readonly unknown[]) =>
  items.length + changesIn(items) + idsIn(items);

const State = z.object({
  name: z.string().max(500).nullish().describe("What people call it."),
  group: z.string().max(50).nullish().describe("One of Plane's groups; others count as none."),
});

export const IngestInput = anySpelling(
  z.object({
    workspaceId: Id.nullish().describe(
      "Null where it is not known; such facts are in every workspace's scope.",
    ),
    projectId: Id.describe("The items' project."),
    items: z
      .array(tolerant(IngestItem))
      .max(CEILINGS.itemsPerJob)
      .refine((items) => changesIn(items) <= CEILINGS.changesPerJob, {
        message: `the items hold more than ${CEILINGS.changesPerJob} changes together; send several jobs`,
      })
      .refine((items) => idsIn(items) <= CEILINGS.idsPerJob, {
        message: `the items hold more than ${CEILINGS.idsPerJob} labels and cycles together; send several jobs`,
      })
      .describe(
        `The items, with at most ${CEILINGS.changesPerJob} changes and ${CEILINGS.idsPerJob} labels and cycles together.`,
      ),
    states: z
      .record(Id, State)
      .refine((states) => Object.keys(states).length <= CEILINGS.statesPerJob, {
        message: `at most ${CEILINGS.statesPerJob} states`,
      })
      .meta({ maxProperties: CEILINGS.statesPerJob })
      .default({})
      .describe(
        "Name and group of the states that occur, as they are now; the group is recorded with each change.",
      ),
    keyWarnings: KeyWarnings,
  }),
);
export type IngestInput = z.output<typeof IngestInput>;

const Warning = z.object({
  code: z.string().describe("What kind of doubt it is."),
  path: z.string().describe("The element that it is about."),
  message: z.string().describe("What is wrong with it, in words."),
});

export const IngestOutput = z.object({
  items: z.int().describe("Good items of the job."),
  changes: z
    .int()
    .describe(
      "The facts that they brought: creations, values at creation, changes; repeats count too.",
    ),
  warnings: z
    .array(Warning)
    .describe("Elements that were left out or taken in part; the first 100 of them."),
  warningsTotal: z.int().describe("How many warnings there were."),
});
export type IngestOutput = z.output<typeof IngestOutput>;
