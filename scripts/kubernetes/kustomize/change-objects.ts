/** What a layer does to the objects below it: patches, then namespace, labels and images, in kustomize's order. */

import { join } from "node:path/posix";
import { readOnce } from "./files.ts";
import type { Target } from "./kustomization-schema.ts";
import { type Entry, type Layer, placeIn } from "./layer.ts";
import { BadPatch, jsonPatch, strategicMerge } from "./patches.ts";
import { eachMap, type Placed, placed, put, scalar, textAt } from "./placed.ts";
import { setLabels } from "./set-labels.ts";

/** Kinds that are in no namespace. */
export const CLUSTER_KINDS = new Set([
  "Namespace",
  "PriorityClass",
  "ClusterRole",
  "ClusterRoleBinding",
  "ClusterSecretStore",
  "CustomResourceDefinition",
  "StorageClass",
]);

export function changeObjects(layer: Layer, entries: Entry[]): Entry[] {
  const { settings } = layer;
  let left = entries;
  for (const [index] of (settings.patches ?? []).entries()) left = patched(layer, index, left);
  for (const { node } of left) {
    if (settings.namespace !== undefined) setNamespace(layer, node, settings.namespace);
    setLabels(layer, node);
    setImages(layer, node);
  }
  return left;
}

function setNamespace(layer: Layer, node: Placed, namespace: string): void {
  const value = scalar(namespace, placeIn(layer, ["namespace"]));
  const kind = textAt(node, ["kind"]);
  if (kind === "Namespace") put(node, ["metadata", "name"], value);
  else if (!CLUSTER_KINDS.has(kind)) put(node, ["metadata", "namespace"], value);
}

function setImages(layer: Layer, node: Placed): void {
  for (const [index, image] of (layer.settings.images ?? []).entries()) {
    eachMap(node, (members, path) => {
      const inContainers = ["containers", "initContainers"].includes(String(path.at(-2)));
      const current = members.get("image");
      if (!inContainers || current?.kind !== "scalar") return;
      const [, name, rest] = /^([^@]+?)((?::[^/:@]+)?(?:@.*)?)$/.exec(String(current.value)) ?? [];
      if (name !== image.name) return;
      const { newName, newTag, digest } = image;
      const end = `${newTag ? `:${newTag}` : ""}${digest ? `@${digest}` : ""}` || rest;
      const field = newTag ? "newTag" : digest ? "digest" : "newName";
      members.set(
        "image",
        scalar(`${newName ?? name}${end}`, placeIn(layer, ["images", index, field])),
      );
    });
  }
}

function matches(target: Target, { node, originalName }: Entry): boolean {
  const whole = (pattern: string | undefined, ...texts: string[]) =>
    pattern === undefined || texts.some((text) => new RegExp(`^(?:${pattern})$`).test(text));
  const [group, version] = groupVersion(textAt(node, ["apiVersion"]));
  const wanted = (target.labelSelector ?? "").split(",").filter((pair) => pair !== "");
  return (
    whole(target.kind, textAt(node, ["kind"])) &&
    whole(target.name, textAt(node, ["metadata", "name"]), originalName) &&
    whole(target.namespace, textAt(node, ["metadata", "namespace"])) &&
    whole(target.group, group) &&
    whole(target.version, version) &&
    wanted.every((pair) => {
      const [key = "", value = ""] = pair.split("=");
      return textAt(node, ["metadata", "labels", key]) === value;
    })
  );
}

function groupVersion(apiVersion: string): [string, string] {
  const parts = apiVersion.split("/");
  return parts.length === 1 ? ["", parts[0] ?? ""] : [parts[0] ?? "", parts[1] ?? ""];
}

/** The objects or the operations of one patch, which stand in a file or in the kustomization itself. */
function patchesOf(layer: Layer, index: number): Placed[] {
  const { path, patch } = layer.settings.patches?.[index] ?? {};
  const place = placeIn(layer, ["patches", index, path === undefined ? "patch" : "path"]);
  const file = path === undefined ? layer.file : join(layer.folder, path);
  const text = patch ?? layer.files.read(file);
  if (text === undefined) {
    layer.report(place, `${path} does not exist`, "correct the path");
    return [];
  }
  layer.read.add(file);
  // A list is no object to the reader, so it gets a name.
  const isList = /^\s*(#.*\n\s*)*-\s/.test(text);
  const { objects, problems } = readOnce(file, isList ? `operations:\n${text}` : text);
  // The text of a block begins on the line after its key.
  const offset = (path === undefined ? place.line : 0) - (isList ? 1 : 0);
  for (const problem of problems)
    layer.report({ file, line: problem.line + offset }, problem.message, problem.fix, "yaml");
  return objects.map((object) => {
    const node = placed(object, offset);
    const operations = node.kind === "map" ? node.members.get("operations") : undefined;
    return isList && operations ? operations : node;
  });
}

function patched(layer: Layer, index: number, entries: Entry[]): Entry[] {
  const { target, options } = layer.settings.patches?.[index] ?? {};
  let left = entries;
  for (const patch of patchesOf(layer, index)) {
    const own: Target =
      patch.kind === "map"
        ? {
            kind: escaped(textAt(patch, ["kind"])),
            name: escaped(textAt(patch, ["metadata", "name"])),
          }
        : {};
    const wanted = target ?? own;
    const found = left.filter((entry) => matches(wanted, entry));
    if (found.length === 0)
      layer.report(
        placeIn(layer, ["patches", index]),
        `the patch meets no object (${wanted.kind || "any kind"} ${wanted.name ?? ""})`,
        "correct its target, or remove it",
      );
    for (const entry of found)
      if (!applyOne(layer, entry, patch, options?.allowNameChange === true))
        left = left.filter((one) => one !== entry);
  }
  return left;
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** @returns false where the patch deletes the object. */
function applyOne(layer: Layer, entry: Entry, patch: Placed, mayRename: boolean): boolean {
  const name = textAt(entry.node, ["metadata", "name"]);
  try {
    if (patch.kind === "list") jsonPatch(entry.node, patch);
    else if (!strategicMerge(entry.node, patch)) return false;
  } catch (error) {
    if (!(error instanceof BadPatch)) throw error;
    layer.report(error.at, error.message, "correct the patch");
  }
  // As kustomize: a name changes only where the patch says that it may.
  if (!mayRename && textAt(entry.node, ["metadata", "name"]) !== name)
    put(entry.node, ["metadata", "name"], scalar(name, entry.node));
  return true;
}
