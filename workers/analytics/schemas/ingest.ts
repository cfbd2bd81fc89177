/** Input and output of `ingest`. */
import { z } from "zod";
import { CEILINGS, Id, Instant, storable } from "./vocabulary.ts";

/**
 * An element that is checked on its own later, so that a bad one becomes a warning and its
 * neighbours live. Callers still get its type, and the generated contract its shape.
 */
function tolerant<Schema extends z.ZodType>(schema: Schema) {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: "input" });
  return z.unknown().meta(shape) as unknown as z.ZodType<unknown, z.input<Schema>>;
}

/**
 * What the history keeps of a work item. `state` and `points` have one value (the change sets it
 * to `to`); `label` and `cycle` are sets (the change takes `from` out and puts `to` in);
 * `deleted` needs neither. Other fields are no concern of flow metrics and are skipped silently.
 */
export const FIELDS = ["state", "points", "label", "cycle", "deleted"] as const;
export type Field = (typeof FIELDS)[number];

const FieldValue = z.union([Id, z.number(), z.literal("")]).nullish();

export const HistoryChange = z.object({
  /** Makes repeats recognisable; by default derived from item, field, time and values. */
  id: Id.optional(),
  at: Instant,
  field: z.string().max(100),
  /** State, label or cycle id, or points; null, "" or absent is none. */
  from: FieldValue,
  to: FieldValue,
});
export type HistoryChange = z.output<typeof HistoryChange>;

export const IngestItem = z.object({
  id: Id,
  /** Absent when only some changes are known; the item then exists from the earliest of them. */
  createdAt: Instant.optional(),
  /** In any order. */
  history: z.array(tolerant(HistoryChange)).max(CEILINGS.historyPerItem).default([]),
  /**
   * State, points, labels and cycles as they are after the last change of `history`; the values at
   * creation are found by undoing it. They only count when `createdAt` is there.
   */
  state: Id.nullish(),
  points: z.union([z.number(), storable(100)]).nullish(),
  labels: z.array(Id).max(CEILINGS.idsPerItem).default([]),
  cycle: Id.nullish(),
  /** For items in several cycles; adds to `cycle`. */
  cycles: z.array(Id).max(CEILINGS.idsPerItem).default([]),
});
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

export const IngestInput = z.object({
  /** Null where it is not known; such facts are in every workspace's scope. */
  workspaceId: Id.nullish(),
  projectId: Id,
  items: z
    .array(tolerant(IngestItem))
    .max(CEILINGS.itemsPerJob)
    .refine((items) => changesIn(items) <= CEILINGS.changesPerJob, {
      message: `the items hold more than ${CEILINGS.changesPerJob} changes together; send several jobs`,
    })
    .refine((items) => idsIn(items) <= CEILINGS.idsPerJob, {
      message: `the items hold more than ${CEILINGS.idsPerJob} labels and cycles together; send several jobs`,
    }),
  /** Name and group of the states that occur, as they are now; the group is recorded with each change. */
  states: z
    .record(
      Id,
      z.object({ name: z.string().max(500).nullish(), group: z.string().max(50).nullish() }),
    )
    .refine((states) => Object.keys(states).length <= CEILINGS.statesPerJob, {
      message: `at most ${CEILINGS.statesPerJob} states`,
    })
    .default({}),
});
export type IngestInput = z.output<typeof IngestInput>;

export const IngestOutput = z.object({
  /** Good items of the job, and the facts (creations, values at creation, changes) they brought; repeats count too. */
  items: z.int(),
  changes: z.int(),
  /** Elements that were left out or taken in part, at most 100 of them listed. */
  warnings: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })),
  warningsTotal: z.int(),
});
export type IngestOutput = z.output<typeof IngestOutput>;
