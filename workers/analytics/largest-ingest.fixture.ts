/** The largest input of `ingest` by the number of what it holds: at all of the contract's ceilings at once. */
import type { z } from "zod";
import { CEILINGS, type IngestInput } from "./schemas.ts";

const {
  itemsPerJob: ITEMS,
  changesPerJob: CHANGES,
  idsPerJob: IDS,
  statesPerJob: STATES,
} = CEILINGS;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const at = (day: number) => new Date(START_MS + day * DAY_MS).toISOString();
const list = <Value>(length: number, of: (index: number) => Value) =>
  Array.from({ length }, (_, i) => of(i));

/** As JSON it has 6.9 MB; none of its changes has an id, so that each costs a hash. */
export function largestIngest(
  projectId: string,
  workspaceId = projectId,
): z.input<typeof IngestInput> {
  const state = (index: number) => `state-${String(index % STATES).padStart(12, "0")}`;
  const history = (item: number) =>
    list(CHANGES / ITEMS, (n) => ({
      at: at(n + 1),
      field: "state",
      from: state(item + n),
      to: state(item + n + 1),
    }));
  return {
    workspaceId,
    projectId,
    states: Object.fromEntries(
      list(STATES, (index) => [state(index), { name: `State ${index}`, group: "started" }]),
    ),
    items: list(ITEMS, (item) => ({
      id: `${projectId}-${item}`,
      createdAt: at(0),
      history: history(item),
      state: state(item + CHANGES / ITEMS),
      points: 3,
      labels: list(IDS / ITEMS, (label) => `label-${label}`),
      cycle: "cycle",
    })),
  };
}
