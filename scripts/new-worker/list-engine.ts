/** Enters an engine in a list of a kustomization.yaml, whose comments and layout stay. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parseDocument, YAMLSeq } from "yaml";
import type { Listing } from "./parts.ts";

/** Does nothing where the engine is listed already. */
export function listEngine(repository: string, { file, list, entry }: Listing, engine: string) {
  const path = join(repository, file);
  const document = parseDocument(readFileSync(path, "utf8"));
  const items = document.get(list);
  if (!(items instanceof YAMLSeq)) throw new Error(`${file} has no list ${list}`);
  const wanted = entry(engine);
  if (items.toJSON().some((item: unknown) => isDeepStrictEqual(item, wanted))) return;
  items.add(document.createNode(wanted));
  writeFileSync(path, document.toString({ lineWidth: 0 }));
}

/** Takes it out again, whatever tag its image has by now. */
export function unlistEngine(repository: string, { file, list, entry }: Listing, engine: string) {
  const path = join(repository, file);
  const document = parseDocument(readFileSync(path, "utf8"));
  const items = document.get(list);
  if (!(items instanceof YAMLSeq)) throw new Error(`${file} has no list ${list}`);
  const at = items.toJSON().findIndex((item: unknown) => nameOf(item) === nameOf(entry(engine)));
  if (at < 0) return;
  items.delete(at);
  writeFileSync(path, document.toString({ lineWidth: 0 }));
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
