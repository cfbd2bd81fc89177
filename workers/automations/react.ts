/** Takes in what happened to items, tries the rules that were put on it, and announces what they want done. */
import { createHash } from "node:crypto";
import type { Batch, BatchItem } from "@tl-engine/shared";
import { depthMessage } from "./evaluate.ts";
import { isSet, itemOf, learnDeletion, learnMember, learnValue } from "./item-facts.ts";
import { type HeldItem, holdItems, itemKey, writeItems } from "./item-store.ts";
import { type ProjectBook, placeKey, RuleBooks } from "./rule-books.ts";
import { type Match, matchesOf, Room } from "./rules/evaluate.ts";
import { changesByField, type Event } from "./rules/event.ts";
import { type Item, readItem, type Value } from "./rules/item.ts";
import type { AutomationFired, HappenedTo, ReactInput, ReactOutput } from "./schemas/keep.ts";
import { CEILINGS } from "./schemas/vocabulary.ts";
import { Warnings } from "./warnings.ts";

type Emits = { "automation.fired": typeof AutomationFired };
type Reaction = BatchItem<ReactInput, Emits>;

const books = new RuleBooks();

export async function react(
  jobs: readonly Reaction[],
  { tx, log }: Pick<Batch, "tx" | "log">,
): Promise<ReactOutput[]> {
  const held = await holdItems(
    tx,
    jobs.flatMap(({ input: { projectId, items } }) =>
      items.map(({ id }) => ({ projectId, itemId: id })),
    ),
  );
  const places = jobs.map(({ input }) => placeOf(input, held));
  const loaded = await books.load(tx, places);
  const outputs = jobs.map((job, index) => {
    const place = places[index] as ReturnType<typeof placeOf>;
    const output = reactTo(
      job,
      held,
      loaded.get(placeKey(place)) as ProjectBook,
      place.workspaceId,
    );
    if (output.ended !== null) log.warn({ jobId: job.id }, `automations: ${output.ended}`);
    return output;
  });
  await writeItems(tx, held.values());
  return outputs;
}

/** An event that does not tell its workspace is in that of its item, where another one told it. */
function placeOf({ workspaceId, projectId, items }: ReactInput, held: Map<string, HeldItem>) {
  const known = items
    .map(({ id }) => held.get(itemKey({ projectId, itemId: id }))?.workspaceId)
    .find((id) => id);
  return { workspaceId: workspaceId ?? known ?? null, projectId };
}

function reactTo(
  job: Reaction,
  held: Map<string, HeldItem>,
  { book, origins, left }: ProjectBook,
  workspaceId: string | null,
): ReactOutput {
  const { input } = job;
  const room = new Room();
  let fired = 0;
  let ended: string | null = null;
  for (const happened of input.items) {
    const item = held.get(itemKey({ projectId: input.projectId, itemId: happened.id })) as HeldItem;
    item.workspaceId = workspaceId ?? item.workspaceId;
    learnFrom(item, happened, input);
    const event = eventOf(input, happened);
    // The event's own time, so that a late one is judged as a punctual one is.
    const facts = { item: itemAt(item, happened, event), event, nowMs: input.epoch * 1_000 };
    if (event.depth >= CEILINGS.depth) ended ??= depthMessage(event);
    for (const match of matchesOf(book, facts, room)) {
      const origin = origins[match.entry.order] as ProjectBook["origins"][number];
      job.emit(
        "automation.fired",
        firingOf(job, match, event, { ...item, ...origin, workspaceId }),
      );
      fired++;
    }
  }
  return {
    items: input.items.length,
    tried: book.rules.length,
    fired,
    ended,
    left: left + room.left,
  };
}

function eventOf(
  { actorId, depth, path }: ReactInput,
  { type, comment, changes }: HappenedTo,
): Event {
  return {
    ...{ type, depth, path },
    actor: actorId ?? null,
    comment: comment ?? null,
    changes: changesByField(changes),
  };
}

function learnFrom({ facts }: HeldItem, happened: HappenedTo, { epoch }: ReactInput): void {
  const atMs = Math.round(epoch * 1_000);
  for (const [field, value] of readItem(happened.known, ["known"], new Warnings()))
    learnValue(facts, field, value, atMs);
  for (const [field, changes] of changesByField(happened.changes))
    for (const { from, to } of changes) {
      if (!isSet(field)) learnValue(facts, field, to, atMs);
      else if (to !== null) learnMember(facts, field, String(to), true, atMs);
      else if (from !== null) learnMember(facts, field, String(from), false, atMs);
    }
  if (happened.deleted) learnDeletion(facts, atMs);
}

/** As it is known, save that what the event itself tells counts as it tells it, however late it comes. */
function itemAt({ facts, projectId }: HeldItem, happened: HappenedTo, { changes }: Event): Item {
  const item = new Map<string, Value>(itemOf(facts, projectId));
  for (const [field, value] of readItem(happened.known, ["known"], new Warnings()))
    item.set(field, value);
  for (const [field, told] of changes) {
    if (!isSet(field)) {
      item.set(field, told.at(-1)?.to ?? null);
      continue;
    }
    const ids = item.get(field);
    const set = new Set(Array.isArray(ids) ? ids : []);
    for (const { from, to } of told) {
      if (to !== null) set.add(String(to));
      else set.delete(String(from));
    }
    item.set(field, [...set].sort());
  }
  return item;
}

interface Whose {
  workspaceId: string | null;
  projectId: string;
  itemId: string;
  setId: string;
  setVersion: number;
}

function firingOf(
  { id, input }: Reaction,
  { entry, actions }: Match,
  { type, depth, path }: Event,
  { workspaceId, projectId, itemId, setId, setVersion }: Whose,
) {
  const ruleId = entry.rule.id;
  return {
    id: firingId(id, itemId, setId, ruleId),
    ...{ workspaceId, projectId, itemId, setId, setVersion, ruleId },
    event: { type, actorId: input.actorId ?? null, epoch: input.epoch },
    actions: [...actions],
    depth: depth + 1,
    path: [...path, ruleId].slice(-CEILINGS.depth),
  };
}

/** Of the event, which is the job: whatever its rules' order was when it came. */
const firingId = (...parts: string[]) =>
  `fire-${createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 27)}`;
