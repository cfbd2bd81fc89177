/** Good jobs of each action, in several spellings. */
import type { Example } from "@tl-engine/shared";
import sampleJobs from "./sample-job.ts";

const NOW = "2026-03-31T12:00:00.000Z";

export const EVALUATE_EXAMPLES: readonly Example[] = [
  { title: "An item is done: three rules, one matches.", input: (n) => sampleJobs(n, []).input },
  {
    title: "A dry run in Plane's names, which says why the rule did not match.",
    input: (n) => ({
      event: { type: "item.created", actor: "ada", depth: 1, path: ["intake"] },
      item: { id: `issue-${n}`, state_id: "todo", label_ids: ["docs"], target_date: null },
      rules: [
        {
          id: "bugs-have-a-date",
          trigger: { on: "item.created" },
          conditions: {
            all: [
              { field: "labels", op: "contains", value: "bug" },
              { field: "dueDate", op: "empty" },
            ],
          },
          actions: [{ type: "comment", text: "When is it due?" }],
        },
      ],
      now: NOW,
      explain: true,
    }),
  },
];
