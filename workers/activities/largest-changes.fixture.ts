/** The largest change sets that are taken, as Plane would send them. */
import { randomUUID } from "node:crypto";
import { MAX_LIST_ELEMENTS, MAX_NAME_LENGTH } from "./change-set.ts";
import { planeMessage } from "./sample-changes.fixture.ts";

const uuids = (count = MAX_LIST_ELEMENTS) => Array.from({ length: count }, () => randomUUID());
const named = (ids: string[]) => Object.fromEntries(ids.map((id) => [id, { name: id }]));

/** A page of so many characters, with white space between its blocks. */
export function page(characters: number, between: string): string {
  const block = `<p class="editor-paragraph-block">Some <strong>bold</strong> text &amp; a <a href="https://x.example/" target="_blank">link</a>, and more words.</p>${between}`;
  return block.repeat(Math.floor(characters / (block.length - between.length)));
}

const longest = "N".repeat(MAX_NAME_LENGTH);
const [from, to] = [randomUUID(), randomUUID()];
const lookups = { cycles: { [from]: { name: longest }, [to]: { name: longest } } };

function fourLists() {
  const [before, after] = [
    { label_ids: uuids(), assignee_ids: uuids() },
    { label_ids: uuids(), assignee_ids: uuids() },
  ];
  return planeMessage("issue.activity.updated", after, before, {
    lookups: {
      labels: named([...before.label_ids, ...after.label_ids]),
      users: named([...before.assignee_ids, ...after.assignee_ids]),
    },
  });
}

const related = uuids();

export const LARGEST = {
  "a cycle's deletion": {
    entries: MAX_LIST_ELEMENTS,
    message: planeMessage(
      "cycle.activity.deleted",
      { cycle_id: from, cycle_name: longest, issues: uuids() },
      null,
      { issue_id: from },
    ),
  },
  "a cycle's filling and transfer": {
    entries: 2 * MAX_LIST_ELEMENTS,
    message: planeMessage(
      "cycle.activity.created",
      {},
      {
        updated_cycle_issues: uuids().map((id) => ({
          issue_id: id,
          old_cycle_id: from,
          new_cycle_id: to,
        })),
        created_cycle_issues: JSON.stringify(
          uuids().map((id) => ({
            model: "db.cycleissue",
            pk: randomUUID(),
            fields: { issue: id, cycle: to, created_at: "2026-01-02T03:04:05.678Z" },
          })),
        ),
      },
      { issue_id: null, lookups },
    ),
  },
  "a module's items": {
    entries: MAX_LIST_ELEMENTS,
    message: planeMessage(
      "module.activity.created",
      { module_id: "module-1", issues: uuids() },
      null,
      { issue_id: null },
    ),
  },
  "an item's relations": {
    entries: 2 * MAX_LIST_ELEMENTS,
    message: planeMessage(
      "issue_relation.activity.created",
      { relation_type: "blocking", issues: related },
      null,
      { lookups: { issues: named(related) } },
    ),
  },
  "labels and assignees": { entries: 4 * MAX_LIST_ELEMENTS, message: fourLists() },
  "a description": {
    entries: 1,
    message: planeMessage(
      "issue.activity.updated",
      { description_html: `${page(2_100_000, "\n")}x` },
      { description_html: page(2_100_000, "") },
    ),
  },
};
