/** Applies strategic-merge and JSON6902 patches to placed objects; what a patch brings keeps its own line. */
import type { Path } from "../read/documents.ts";
import { child, copied, type Placed, plain, textAt } from "./placed.ts";

/** A patch can't be applied. */
export class BadPatch extends Error {
  override readonly name = "BadPatch";
  readonly at: Placed;

  constructor(message: string, at: Placed) {
    super(message);
    this.at = at;
  }
}

/** Lists of Kubernetes' own kinds that merge by a member; any other list is replaced. `x-kubernetes-patch-merge-key` of its OpenAPI. */
const MERGE_KEYS: Record<string, string> = {
  containers: "name",
  initContainers: "name",
  env: "name",
  volumes: "name",
  imagePullSecrets: "name",
  volumeMounts: "mountPath",
  hostAliases: "ip",
  topologySpreadConstraints: "topologyKey",
};
/** Its key depends on whose ports they are. */
const PORTS_KEY: Record<string, string> = {
  containers: "containerPort",
  initContainers: "containerPort",
};
const OWN_GROUPS = new Set(["", "apps", "batch", "policy"]);

/** @returns false where the patch deletes the object. */
export function strategicMerge(target: Placed, patch: Placed): boolean {
  const group = textAt(target, ["apiVersion"]).includes("/")
    ? (textAt(target, ["apiVersion"]).split("/")[0] ?? "")
    : "";
  const directive = child(patch, "$patch");
  if (directive && plain(directive) === "delete") return false;
  merge(target, patch, OWN_GROUPS.has(group), "");
  return true;
}

function merge(target: Placed, patch: Placed, own: boolean, listName: string): void {
  if (target.kind !== "map" || patch.kind !== "map") return;
  for (const [key, member] of patch.members) {
    if (key.startsWith("$"))
      throw new BadPatch(
        `the directive ${key} is not known here, only "$patch: delete" of an object`,
        member,
      );
    const current = target.members.get(key);
    if (member.kind === "scalar" && member.value === null) target.members.delete(key);
    else if (current?.kind === "map" && member.kind === "map") merge(current, member, own, "");
    else if (own && current?.kind === "list" && member.kind === "list")
      target.members.set(key, mergeLists(current, member, key, listName));
    else target.members.set(key, copied(member));
  }
}

function mergeLists(target: Placed, patch: Placed, name: string, parent: string): Placed {
  if (target.kind !== "list" || patch.kind !== "list") return patch;
  const key = name === "ports" ? PORTS_KEY[parent] : MERGE_KEYS[name];
  if (key === undefined) return copied(patch);
  const first: Placed[] = [];
  for (const item of patch.items) {
    const id = child(item, key);
    if (!id) throw new BadPatch(`an item of ${name} needs its ${key}, by which it is merged`, item);
    const same = target.items.find((one) => {
      const other = child(one, key);
      return other !== undefined && plain(other) === plain(id);
    });
    if (same) merge(same, item, true, name);
    first.push(same ?? copied(item));
  }
  // As kustomize: the patch's order, then what it does not name.
  return { ...target, items: [...first, ...target.items.filter((one) => !first.includes(one))] };
}

/** RFC 6901. */
export const pointerOf = (text: string): Path =>
  text
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** RFC 6902: add, remove, replace, test. */
export function jsonPatch(target: Placed, operations: Placed): void {
  if (operations.kind !== "list") throw new BadPatch("a JSON6902 patch is a list", operations);
  for (const operation of operations.items) {
    const path = pointerOf(textAt(operation, ["path"]));
    const key = path.at(-1);
    const op = textAt(operation, ["op"]);
    const missing = () =>
      new BadPatch(
        `${op} ${textAt(operation, ["path"])}: there is nothing at this path`,
        operation,
      );
    const parent = path
      .slice(0, -1)
      .reduce<Placed | undefined>((node, step) => child(node, step), target);
    if (!parent || parent.kind === "scalar" || key === undefined) throw missing();
    if (op !== "add" && child(parent, key) === undefined) throw missing();
    const given = child(operation, "value");
    const value = given && copied(given);
    if (op === "remove") take(parent, key);
    else if (op === "test") {
      if (
        JSON.stringify(plain(child(parent, key) as Placed)) !==
        JSON.stringify(value && plain(value))
      )
        throw new BadPatch(`test ${textAt(operation, ["path"])} fails`, operation);
    } else if ((op === "add" || op === "replace") && value) give(parent, key, value, op);
    else throw new BadPatch(`the operation "${op}" is not known here, or has no value`, operation);
  }
}

function take(parent: Placed, key: string | number): void {
  if (parent.kind === "map") parent.members.delete(String(key));
  else if (parent.kind === "list") parent.items.splice(Number(key), 1);
}

function give(parent: Placed, key: string | number, value: Placed, op: "add" | "replace"): void {
  if (parent.kind === "map") parent.members.set(String(key), value);
  else if (parent.kind === "list") {
    const index = key === "-" ? parent.items.length : Number(key);
    parent.items.splice(index, op === "add" ? 0 : 1, value);
  }
}
