/** Enters an engine in a list of a kustomization.yaml, whose comments and layout stay. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Document, parseDocument, YAMLSeq } from "yaml";
import type { Listing } from "./parts.ts";

/** Does nothing where the engine is listed already. */
export function listEngine(repository: string, listing: Listing, engine: string): void {
  const wanted = listing.entry(engine);
  changeList(repository, listing, (items, document) => {
    if (items.toJSON().some((item: unknown) => isDeepStrictEqual(item, wanted))) return false;
    items.add(document.createNode(wanted));
    return true;
  });
}

/** Takes it out again, whatever tag its image has by now. */
export function unlistEngine(repository: string, listing: Listing, engine: string): void {
  const name = nameOf(listing.entry(engine));
  changeList(repository, listing, (items) => {
    const at = items.toJSON().findIndex((item: unknown) => nameOf(item) === name);
    if (at >= 0) items.delete(at);
    return at >= 0;
  });
}

/** @param change returns whether it changed anything. */
function changeList(
  repository: string,
  { file, list }: Listing,
  change: (items: YAMLSeq, document: Document) => boolean,
): void {
  const path = join(repository, file);
  const document = parseDocument(readFileSync(path, "utf8"));
  const items = document.get(list);
  if (!(items instanceof YAMLSeq)) throw new Error(`${file} has no list ${list}`);
  if (change(items, document)) writeFileSync(path, document.toString({ lineWidth: 0 }));
}

const nameOf = (item: unknown) =>
  typeof item === "string" ? item : (item as { name: string }).name;

/** Whether the engine is listed, whatever tag its image has by now. */
export function listsEngine(repository: string, { file, list, entry }: Listing, engine: string) {
  const items = parseDocument(readFileSync(join(repository, file), "utf8")).toJS()[
    list
  ] as unknown[];
  return items.some((item) => nameOf(item) === nameOf(entry(engine)));
}
