/** Inputs and outputs of `sla`, `track`, `policies` and `check`, and the events of deadlines. */
import { anySpelling, describedAs, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { BusinessCalendar } from "../calendar/schema.ts";
import { Id, Warning } from "../schemas/vocabulary.ts";

export const SLA_CEILINGS = {
  itemsPerJob: 1_000,
  changesPerItem: 2_000,
  changesPerJob: 20_000,
  statesPerPolicy: 500,
  policiesPerJob: 50,
  /** Of one project: each is a clock of every item. */
  policiesPerProject: 20,
  targetSeconds: 10 * 366 * 86_400,
  warnings: 10,
  warningsListed: 100,
} as const;

export const PRIORITIES = ["urgent", "high", "medium", "low", "none"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Working time is compiled for all the years between an item's creation and now: no typing error may make it 2,000. */
const [FIRST_MS, LAST_MS] = [Date.UTC(1970, 0), Date.UTC(2200, 0)];
const Instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= FIRST_MS && Date.parse(text) < LAST_MS, {
    error: "must lie between the years 1970 and 2200",
  });

const Seconds = z.int().min(1).max(SLA_CEILINGS.targetSeconds);
const states = z.array(Id).max(SLA_CEILINGS.statesPerPolicy).default([]);

/** Working time that an item may take. Linear's: a day where it is urgent, a week where it is high. */
const Targets = z
  .object({
    urgent: Seconds.nullish().describe(
      "Of urgent items. Default: 86,400, a day of the calendar's time.",
    ),
    high: Seconds.nullish().describe(
      "Of items with a high priority. Default: 604,800, seven days.",
    ),
    medium: Seconds.nullish().describe("Of those with a medium one. Default: none."),
    low: Seconds.nullish().describe("Of those with a low one. Default: none."),
    none: Seconds.nullish().describe("Of those without. Default: none."),
  })
  .meta({ title: "Targets", description: "Seconds of working time, by priority; null is none." });

const CalendarOrName = z.union([z.enum(["always", "business_days"]), BusinessCalendar], {
  error: "must be always or business_days, or a calendar",
});

export const SlaPolicy = z
  .object({
    startStates: states.describe(
      "The clock begins when the item first comes into one of them. None: when it is created.",
    ),
    pauseStates: states.describe("It stands while the item is in one of them."),
    stopStates: states.describe(
      "It ends when the item comes into one of them. Out of it again, it goes on where it was.",
    ),
    targetSeconds: Seconds.nullish().describe(
      "Working time that it may take, whatever its priority.",
    ),
    targets: Targets.nullish().describe(
      "The same by priority, where `targetSeconds` is not given.",
    ),
    calendar: CalendarOrName.default("always").describe(
      "When the clock goes: `always`, `business_days` (Monday to Friday, whole days, UTC), or a calendar.",
    ),
    warnBeforeSeconds: z
      .array(Seconds)
      .max(SLA_CEILINGS.warnings)
      .default([])
      .describe("Working time before the deadline at which it is told that it is near."),
  })
  .meta({ title: "SlaPolicy", description: "What is promised of items." });
export type SlaPolicy = z.output<typeof SlaPolicy>;

const StateChange = z
  .object({
    at: Instant.describe("Since when, ISO-8601."),
    state: Id.describe("The state that it came into."),
  })
  .meta({ title: "StateChange", description: "A change of an item's state." });

export const TrackedItem = z
  .object({
    id: Id.describe("The item."),
    createdAt: Instant.describe("When it was created, ISO-8601."),
    priority: z.enum(PRIORITIES).default("none").describe("How urgent it is."),
    history: z
      .array(StateChange)
      .max(SLA_CEILINGS.changesPerItem)
      .default([])
      .describe("Its states, in any order; the first since its creation, where it is known."),
  })
  .meta({ title: "SlaItem", description: "An item, with what is known of its states." });
export type TrackedItem = z.output<typeof TrackedItem>;

const tooMany = (items: readonly unknown[]) =>
  items.reduce<number>((sum, item) => {
    const history = (item as { history?: unknown } | null)?.history;
    return sum + (Array.isArray(history) ? history.length : 0);
  }, 0) > SLA_CEILINGS.changesPerJob;
const Items = z
  .array(describedAs(z.unknown(), TrackedItem))
  .max(SLA_CEILINGS.itemsPerJob)
  .refine((items) => !tooMany(items), {
    message: `the items hold more than ${SLA_CEILINGS.changesPerJob} changes together; send several jobs`,
  });

export const SlaInput = anySpelling(
  z.object({
    policy: SlaPolicy.describe("What is promised."),
    items: Items.describe("Items. A bad one is left out with a warning."),
    now: Instant.optional().describe("As of when, ISO-8601. Default: the time of the job."),
    keyWarnings: KeyWarnings,
  }),
);
export type SlaInput = z.output<typeof SlaInput>;

/** What a clock does. */
export const CLOCK_STATES = ["not_started", "running", "paused", "stopped", "no_target"] as const;

export const SlaOfItem = z
  .object({
    id: z.string().describe("The item."),
    clock: z
      .enum(CLOCK_STATES)
      .describe("What the clock does: `no_target` where nothing is promised at its priority."),
    targetSeconds: z.number().nullable().describe("Working time that it may take."),
    usedSeconds: z.number().describe("Working time that it took."),
    dueAt: z
      .string()
      .nullable()
      .describe(
        "The deadline while the clock runs, and what it was when it stopped; null while it stands, and where it lies more than a hundred years ahead.",
      ),
    remainingSeconds: z
      .number()
      .nullable()
      .describe("Working time that is left; less than 0 is over the deadline."),
    breached: z
      .boolean()
      .describe(
        "Whether the time was over: what stops or pauses at the deadline itself is in time.",
      ),
    breachedAt: z.string().nullable().describe("When it was over."),
    nextCheckAt: z
      .string()
      .nullable()
      .describe("When to look next, if nothing changes: at a warning, or the deadline."),
  })
  .meta({ title: "SlaOfItem", description: "How an item stands." });

export const SlaOutput = z.object({
  items: z.array(SlaOfItem).describe("The good items, in the order of the input."),
  warnings: z.array(Warning).describe("What was left out, and why; the first 100."),
  warningsTotal: z.int().describe("How many warnings there were."),
});

const UpdatedAt = Instant.describe("Since when, ISO-8601. Of two the later counts.");

export const PoliciesInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The project whose items they are about."),
    put: z
      .array(
        z
          .object({
            id: Id.describe("The policy's id within the project."),
            policy: SlaPolicy.describe("What is promised."),
            updatedAt: UpdatedAt,
          })
          .meta({ title: "PutPolicy" }),
      )
      .max(SLA_CEILINGS.policiesPerJob)
      .default([])
      .describe("Policies, each in the place of what it was."),
    remove: z
      .array(
        z
          .object({ id: Id.describe("The policy."), updatedAt: UpdatedAt })
          .meta({ title: "RemovedPolicy" }),
      )
      .max(SLA_CEILINGS.policiesPerJob)
      .default([])
      .describe("Policies that no longer count."),
    keyWarnings: KeyWarnings,
  }),
);
export type PoliciesInput = z.output<typeof PoliciesInput>;
export const PoliciesOutput = z.object({
  kept: z.int().describe("How many were new, or newer than what was known."),
  warnings: z.array(Warning).describe("Keys that look like misspelt ones, and count as none."),
});

export const TrackInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The items' project."),
    items: Items.describe("Items. A bad one is left out with a warning."),
    updatedAt: UpdatedAt.optional().describe(
      "When their priorities were so, ISO-8601. Default: at each item's latest change.",
    ),
    keyWarnings: KeyWarnings,
  }),
);
export type TrackInput = z.output<typeof TrackInput>;
export const TrackOutput = z.object({
  items: z.int().describe("Good items of the job."),
  timers: z.int().describe("Timers that were set."),
  warnings: z.array(Warning).describe("What was left out, and why; the first 100."),
  warningsTotal: z.int().describe("How many warnings there were."),
});

export const CheckInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The item's project."),
    itemId: Id.describe("The item whose clocks are looked at."),
    at: Instant.optional().describe("When its timer was due, ISO-8601."),
  }),
);
export type CheckInput = z.output<typeof CheckInput>;

export const RecheckInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The project whose policies changed."),
    cause: Id.describe("The job that changed them."),
    after: z
      .string()
      .max(255)
      .default("")
      .describe("The last item that was looked at; empty for the first look."),
  }),
);
export type RecheckInput = z.output<typeof RecheckInput>;
export const RecheckOutput = z.object({
  items: z.int().describe("Items that were looked at; the rest of a large project follows."),
  timers: z.int().describe("Timers that were set."),
});
export const CheckOutput = z.object({
  told: z.int().describe("Events that it announced."),
  nextCheckAt: z.string().nullable().describe("When it will be looked again, if nothing changes."),
});

/** Seconds: more than any target is. */
const Told = z.number().min(-1e12).max(1e12);

const Deadline = z.object({
  workspaceId: Id.describe("The project's workspace."),
  projectId: Id.describe("The item's project."),
  itemId: Id.describe("The item."),
  policyId: Id.describe("The policy."),
  targetSeconds: Told.describe("Working time that it may take."),
  dueAt: z.iso.datetime().nullable().describe("The deadline, ISO-8601."),
});
export const SlaBreached = Deadline.extend({
  breachedAt: z.iso.datetime().describe("When the time was over, ISO-8601."),
});
export const SlaDueSoon = Deadline.extend({
  remainingSeconds: Told.describe("Working time that is left."),
  warnBeforeSeconds: Told.describe("The warning that it is, of the policy's."),
});
