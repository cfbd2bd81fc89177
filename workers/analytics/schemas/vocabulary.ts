/** Words of the contract that several schemas use, and the ceilings of all lists. */
import { storable } from "@tl-engine/shared";
import { z } from "zod";

export { storable } from "@tl-engine/shared";

/** Plane's state groups. Open is backlog, unstarted or started; done is completed; cancelled is neither. */
export const STATE_GROUPS = ["backlog", "unstarted", "started", "completed", "cancelled"] as const;
export type StateGroup = (typeof STATE_GROUPS)[number];

/** Ceilings of lists. Past them a job is `invalid_input`, with the path of the list. */
export const CEILINGS = {
  itemsPerJob: 5_000,
  historyPerItem: 5_000,
  changesPerJob: 50_000,
  idsPerItem: 5_000,
  /** Labels and cycles of all items of a job together. */
  idsPerJob: 50_000,
  statesPerJob: 5_000,
  projectsPerFlow: 200,
  daysPerWindow: 3_660,
  /** Stored changes that one `flow` reads, about 130 MB of heap; more is `rejected`: ask for fewer projects. */
  changesPerFlow: 300_000,
  /** Simulations times the days that each may walk (1,826 where no `until` is asked about): about 2 s of CPU. More is `rejected`. */
  simulatedDays: 50_000_000,
  /** Items listed one by one in an output, newest or oldest first; percentiles always see all. */
  itemsListed: 1_000,
  warningsListed: 100,
} as const;

/** An opaque id of the tracker's, as long as `activities` announces them. */
export const Id = storable(255).min(1);
export const Group = z.enum(STATE_GROUPS);
export const CalendarDay = z.iso.date().describe("A local calendar day, YYYY-MM-DD.");
export const Instant = z.iso
  .datetime({ offset: true })
  .describe("An instant in ISO-8601, with `Z` or an offset.");
