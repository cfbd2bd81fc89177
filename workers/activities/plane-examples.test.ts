/** The entries equal those that Plane itself makes of the same change sets, as unordered multisets. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { ActivityEntries } from "./activity-entries.ts";
import { ChangeSet } from "./change-set.ts";
import { recordActivities } from "./record-activities.ts";

const folder =
  process.env.TL_DATA_DIR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
const file = `${folder}/activity-examples.ndjson`;
const isThere = existsSync(file);
if (!isThere) console.warn(`skipped: Plane's examples are not at ${file} (set TL_DATA_DIR)`);

interface Example {
  type: string;
  issue_id: string;
  actor_id: string;
  epoch: number;
  current: unknown;
  requested: unknown;
  expected: object[];
  subscribers_added: string[];
}

/** The first line: names by kind, as lists. */
type NameLists = Record<"Label" | "State" | "User", { id: string; name: string }[]>;

const byId = (list: { id: string; name: string }[]) =>
  Object.fromEntries(list.map(({ id, name }) => [id, { name }]));

const asMultiset = (entries: object[]) =>
  entries.map((entry) => JSON.stringify(Object.entries(entry).sort())).sort();

const inSnakeCase = (entries: ActivityEntries) =>
  entries.activities.map(({ id: _id, ...entry }) =>
    Object.fromEntries(
      Object.entries(entry).map(([key, value]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
    ),
  );

describe.skipIf(!isThere)("Plane's own examples", () => {
  const lines = isThere ? readFileSync(file, "utf8").trim().split("\n") : ["{}"];
  const [names, ...examples] = lines.map((line) => JSON.parse(line)) as [
    { lookups: NameLists },
    ...Example[],
  ];

  test.each(examples.map((example, index) => ({ line: index + 2, example })))(
    "line $line",
    ({ example }) => {
      const lookups = {
        labels: byId(names.lookups.Label),
        states: byId(names.lookups.State),
        users: byId(names.lookups.User),
      };
      // As Plane sends it: its names, and the data as JSON in strings.
      const change = ChangeSet.parse({
        type: example.type,
        issue_id: example.issue_id,
        project_id: "project",
        actor_id: example.actor_id,
        epoch: example.epoch,
        requested_data: JSON.stringify(example.requested),
        current_instance: example.current && JSON.stringify(example.current),
        lookups,
      });
      const entries = recordActivities(change, "job-1");
      expect(asMultiset(inSnakeCase(entries))).toEqual(asMultiset(example.expected));
      expect(entries.subscribersAdded).toEqual([...example.subscribers_added].sort());
      expect(entries.warnings).toEqual([]);
    },
  );
});

/** As they travel today, and what Plane wrote of them. */
interface Call {
  call: { type: string; requested_data: string | null };
  lookups: object;
  additions?: object;
  expected: { verb: string; field: string | null }[];
  subscribers?: string[];
}

const callsFile = `${folder}/plane-calls.ndjson`;
describe.skipIf(!existsSync(callsFile))("Plane's own calls", () => {
  const lines = existsSync(callsFile) ? readFileSync(callsFile, "utf8").trim().split("\n") : [];
  test.each(lines.map((text, index) => ({ line: index + 1, ...(JSON.parse(text) as Call) })))(
    "line $line: $call.type",
    ({ call, lookups, additions, expected }) => {
      const change = ChangeSet.parse({ ...call, ...additions, lookups });
      const creator = JSON.parse(call.requested_data ?? "null")?.created_by;
      // Plane takes it from the item's row, which its API mends only after it has sent the message.
      const right = expected.map((entry) =>
        entry.verb === "created" && entry.field === null && creator
          ? { ...entry, actor_id: creator }
          : entry,
      );
      expect(asMultiset(inSnakeCase(recordActivities(change, "job-1")))).toEqual(asMultiset(right));
    },
  );
});
