/** Tells the actions that would change nothing, as far as the item's fields are known: they only set off more rules. */
import type { Action } from "./action.ts";
import type { Item, Value } from "./item.ts";

export function changesNothing(action: Action, item: Item): boolean {
  if (action.items !== undefined || action.field === undefined) return isArchived(action, item);
  if (!item.has(action.field)) return false;
  const now = item.get(action.field) ?? null;
  const ids = action.values as readonly string[];
  switch (action.type) {
    case "set":
      return isSame(now, action.value ?? null);
    case "add":
      return Array.isArray(now) && ids.every((id) => now.includes(id));
    case "remove":
      return now === null || (Array.isArray(now) && !ids.some((id) => now.includes(id)));
    default:
      return false;
  }
}

const isArchived = ({ type, items }: Action, item: Item) =>
  type === "archive" && items === undefined && typeof item.get("archivedAt") === "string";

function isSame(one: Value, other: Value): boolean {
  if (!Array.isArray(one) && !Array.isArray(other)) return one === other;
  const before = new Set(Array.isArray(one) ? one : []);
  const after = Array.isArray(other) ? other : [];
  const isOneOfEach =
    (one === null || Array.isArray(one)) && (other === null || Array.isArray(other));
  return isOneOfEach && before.size === new Set(after).size && after.every((id) => before.has(id));
}
