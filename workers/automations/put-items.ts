/** Takes in what a batch of `items` says: fields as they were at a time, and items that are gone. */
import type { Batch } from "@tl-engine/shared";
import { learnDeletion, learnValue } from "./item-facts.ts";
import { type HeldItem, holdItems, itemKey, writeItems } from "./item-store.ts";
import { readItem } from "./rules/item.ts";
import type { Path } from "./rules/problem.ts";
import { type ItemsInput, type ItemsOutput, KnownItem } from "./schemas/keep.ts";
import { Warnings } from "./warnings.ts";

/** A look at an item, read and not yet merged. */
interface Told {
  id: string;
  atMs: number;
  /** Undefined is gone. */
  fields: ReturnType<typeof readItem> | undefined;
}

export async function putItems(
  inputs: readonly ItemsInput[],
  { tx }: Pick<Batch, "tx">,
): Promise<ItemsOutput[]> {
  const readings = inputs.map((input) => ({ input, ...readItems(input) }));
  const held = await holdItems(
    tx,
    readings.flatMap(({ input: { projectId }, told }) =>
      told.map(({ id }) => ({ projectId, itemId: id })),
    ),
  );
  for (const { input, told } of readings)
    for (const one of told) {
      const key = itemKey({ projectId: input.projectId, itemId: one.id });
      const item = held.get(key) as HeldItem;
      item.workspaceId = input.workspaceId ?? item.workspaceId;
      learn(item, one);
    }
  await writeItems(tx, held.values());
  return readings.map(({ told, warnings }) => ({
    items: told.length,
    warnings: warnings.listed,
    warningsTotal: warnings.total,
  }));
}

function readItems({ put, remove, keyWarnings }: ItemsInput): { told: Told[]; warnings: Warnings } {
  const warnings = new Warnings(keyWarnings);
  const told: Told[] = [];
  for (const [index, element] of put.entries()) {
    const path = ["put", index];
    const { data, error } = KnownItem.safeParse(element);
    if (data) {
      const fields = readItem(data.fields, [...path, "fields"], warnings);
      told.push({ id: data.id, atMs: Date.parse(data.at), fields });
      continue;
    }
    const [issue] = error.issues;
    const at = [...path, ...((issue?.path ?? []) as Path)];
    warnings.add("bad_item", at, issue?.message ?? "invalid");
  }
  for (const { id, at } of remove) told.push({ id, atMs: Date.parse(at), fields: undefined });
  return { told, warnings };
}

function learn({ facts }: HeldItem, { atMs, fields }: Told): void {
  if (fields === undefined) learnDeletion(facts, atMs);
  else for (const [field, value] of fields) learnValue(facts, field, value, atMs);
}
