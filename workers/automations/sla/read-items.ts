/** Reads the items of a job one by one, so that a bad one costs the others nothing. */
import type { Warning } from "../schemas/vocabulary.ts";
import type { ItemHistory } from "./clock.ts";
import { TrackedItem } from "./schemas.ts";

export interface ReadItem {
  id: string;
  history: ItemHistory;
}

/** @param first warnings that there are already, such as the job's misspelt keys. */
export function readItems(
  sent: readonly unknown[],
  first: readonly Warning[] = [],
): { good: ReadItem[]; warnings: Warning[] } {
  const good: ReadItem[] = [];
  const warnings = [...first];
  sent.forEach((element, index) => {
    const { success, data, error } = TrackedItem.safeParse(element);
    if (!success) {
      const [issue] = error.issues;
      const path = ["items", index, ...(issue?.path ?? [])].join(".");
      warnings.push({ code: "bad_item", path, message: issue?.message ?? "can't be read" });
      return;
    }
    const { id, createdAt, priority, history } = data;
    const changes = history.map(({ at, state }) => ({ atMs: Date.parse(at), state }));
    good.push({ id, history: { createdMs: Date.parse(createdAt), priority, changes } });
  });
  return { good, warnings };
}
