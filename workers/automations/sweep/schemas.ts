/** Input and output of `sweep`. */
import { alsoAs, anySpelling, describedAs, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { Id, Warning } from "../schemas/vocabulary.ts";

export const SWEEP_CEILINGS = {
  projects: 5_000,
  items: 20_000,
  statesPerProject: 500,
  cyclesPerItem: 500,
  warningsListed: 100,
} as const;

export const STATE_GROUPS = ["backlog", "unstarted", "started", "completed", "cancelled"] as const;

const Months = z.int().min(0).max(12);

export const SweptProject = z
  .object({
    id: Id.describe("The project."),
    archiveIn: Months.default(0).describe(
      "Months of 30 days without a change after which an item that is done is archived; 0 is never.",
    ),
    closeIn: Months.default(0).describe(
      "Months of 30 days without a change after which an open item is closed; 0 is never.",
    ),
    closeStateId: alsoAs(Id.nullish(), "defaultState", "default_state").describe(
      "The state that closes an item; one of the project's own.",
    ),
    stateIds: z
      .array(Id)
      .max(SWEEP_CEILINGS.statesPerProject)
      .optional()
      .describe("The project's states, against which `closeStateId` is checked where it is given."),
  })
  .meta({ title: "SweptProject", description: "A project, and what it does with old items." });
export type SweptProject = z.output<typeof SweptProject>;

/** A day ends with itself, in UTC. */
const End = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .nullable()
  .describe("When it ends, a day or an instant, ISO-8601; null is open.");

export const INTAKES = ["pending", "rejected", "snoozed", "accepted", "duplicate"] as const;

export const SweptItem = z
  .object({
    id: Id.describe("The item."),
    projectId: Id.describe("Its project."),
    stateGroup: z.enum(STATE_GROUPS).describe("What its state means."),
    stateId: Id.nullish().describe("Its state."),
    updatedAt: z.iso.datetime({ offset: true }).describe("When it was changed last, ISO-8601."),
    archivedAt: z.string().nullish().describe("When it was archived; such an item stays."),
    isDraft: z.boolean().default(false).describe("A draft stays."),
    cycles: z
      .array(z.object({ endDate: End }).meta({ title: "ItemCycle" }))
      .max(SWEEP_CEILINGS.cyclesPerItem)
      .default([])
      .describe("Its cycles: it stays until all have ended."),
    modules: z
      .array(z.object({ targetDate: End }).meta({ title: "ItemModule" }))
      .max(SWEEP_CEILINGS.cyclesPerItem)
      .default([])
      .describe("Its modules: it stays until all have ended."),
    intake: z
      .enum(INTAKES)
      .nullish()
      .describe("How the intake stands; while it is pending or snoozed the item stays."),
  })
  .meta({ title: "SweptItem", description: "An item that may be old." });
export type SweptItem = z.output<typeof SweptItem>;

export const SweepInput = anySpelling(
  z.object({
    projects: z
      .array(describedAs(z.unknown(), SweptProject))
      .max(SWEEP_CEILINGS.projects)
      .describe("Projects. A bad one is left out with a warning, and its items stay."),
    items: z
      .array(describedAs(z.unknown(), SweptItem))
      .max(SWEEP_CEILINGS.items)
      .describe("Items. A bad one stays, with a warning."),
    now: z.iso
      .datetime({ offset: true })
      .optional()
      .describe("As of when, ISO-8601. Default: the time of the job."),
    keyWarnings: KeyWarnings,
  }),
);
export type SweepInput = z.output<typeof SweepInput>;

export const SweepOutput = z.object({
  archive: z
    .array(
      z
        .object({
          itemId: z.string().describe("The item."),
          projectId: z.string().describe("Its project."),
        })
        .meta({ title: "ToArchive" }),
    )
    .describe("Items to archive, in the order of the input."),
  close: z
    .array(
      z
        .object({
          itemId: z.string().describe("The item."),
          projectId: z.string().describe("Its project."),
          stateId: z.string().describe("The state that it goes to."),
        })
        .meta({ title: "ToClose" }),
    )
    .describe("Items to close, in the order of the input."),
  warnings: z.array(Warning).describe("What was left out, and why; the first 100."),
  warningsTotal: z.int().describe("How many warnings there were."),
});
