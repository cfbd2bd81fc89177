/** Lets references follow an object whose name a layer or its content changed, as kustomize does. */
import type { Entry } from "./layer.ts";
import { eachMap, type Placed, plain, scalar, textAt } from "./placed.ts";

/** Which members of a pod's spec name an object of a kind. */
const REFERENCES: Record<string, readonly (readonly string[])[]> = {
  PriorityClass: [["priorityClassName"]],
  ConfigMap: [
    ["configMapRef", "name"],
    ["configMapKeyRef", "name"],
    ["configMap", "name"],
  ],
};

export function followRenames(entries: Entry[]): void {
  for (const { node, originalName } of entries) {
    const name = textAt(node, ["metadata", "name"]);
    if (name === originalName) continue;
    for (const path of REFERENCES[textAt(node, ["kind"])] ?? [])
      for (const other of entries) rename(other.node, path, originalName, name);
  }
}

function rename(node: Placed, path: readonly string[], from: string, to: string): void {
  eachMap(node, (members) => {
    const holder = path.length === 1 ? members : members.get(path[0] ?? "");
    const map =
      holder instanceof Map ? holder : holder?.kind === "map" ? holder.members : undefined;
    const key = path.at(-1) ?? "";
    const current = map?.get(key);
    if (current && plain(current) === from) map?.set(key, scalar(to, current));
  });
}
