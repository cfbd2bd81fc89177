/** Puts together what a kustomization applies, without kubectl, so that every value still knows its line. */
import { join } from "node:path/posix";
import { type Problem, readObjects } from "../kubernetes/documents.ts";
import { mergeGenerated, nameByContent } from "./config-map-generator.ts";
import type { Files } from "./files.ts";
import { Kustomization, type Target } from "./kustomization-schema.ts";
import { BadPatch, jsonPatch, strategicMerge } from "./patches.ts";
import {
  type AppliedObject,
  applied,
  eachMap,
  type Place,
  type Placed,
  placed,
  plain,
  put,
  scalar,
  textAt,
} from "./placed.ts";

/** An object on its way through the layers. */
export interface Entry {
  node: Placed;
  /** What other objects refer to it by, before a layer or its content gave it another name. */
  originalName: string;
  /** Made by a generator, and named after its content at the end. */
  generated: boolean;
}

export interface Composition {
  objects: AppliedObject[];
  problems: Problem[];
  /** All files that were read. */
  files: Set<string>;
}

/** A kustomization, and what is needed to tell of it. */
export interface Layer {
  folder: string;
  file: string;
  settings: Kustomization;
  node: Placed;
  report(place: Place, message: string, fix: string, rule?: string): void;
  files: Files;
  read: Set<string>;
}

const CLUSTER_KINDS = new Set([
  "Namespace",
  "PriorityClass",
  "ClusterRole",
  "ClusterRoleBinding",
  "ClusterSecretStore",
  "CustomResourceDefinition",
  "StorageClass",
]);

/** @param folder that of a kustomization.yaml, from the repository's root. */
export function compose(files: Files, folder: string): Composition {
  const problems: Problem[] = [];
  const read = new Set<string>();
  const entries = accumulate(files, folder, [], problems, read);
  for (const entry of entries) if (entry.generated) nameByContent(entry.node);
  followRenames(entries);
  return { objects: entries.map(({ node }) => applied(node)), problems, files: read };
}

/** @param below what a component works on. */
function accumulate(
  files: Files,
  folder: string,
  below: Entry[],
  problems: Problem[],
  read: Set<string>,
): Entry[] {
  const layer = openLayer(files, folder, problems, read);
  if (!layer) return below;
  const { settings } = layer;
  const entries = [...below];
  for (const [index, resource] of (settings.resources ?? []).entries()) {
    const place = placeIn(layer, ["resources", index]);
    const path = join(folder, resource);
    const more =
      files.read(path) === undefined
        ? files.read(join(path, "kustomization.yaml")) === undefined
          ? missing(layer, place, resource)
          : accumulate(files, path, [], problems, read)
        : readResource(layer, path, problems);
    for (const entry of more) addEntry(entries, entry, layer);
  }
  let all = entries;
  for (const component of settings.components ?? [])
    all = accumulate(files, join(folder, component), all, problems, read);
  mergeGenerated(layer, all);
  return transformed(layer, all);
}

function missing(layer: Layer, place: Place, name: string): Entry[] {
  layer.report(
    place,
    `${name} does not exist`,
    "correct the path; only local files and folders are read",
  );
  return [];
}

function addEntry(entries: Entry[], entry: Entry, layer: Layer): void {
  const id = ({ node }: Entry) =>
    ["apiVersion", "kind"].map((key) => textAt(node, [key])).join(" ") +
    ` ${textAt(node, ["metadata", "namespace"])} ${textAt(node, ["metadata", "name"])}`;
  const twin = entries.find((one) => id(one) === id(entry));
  if (twin)
    layer.report(
      entry.node,
      `${textAt(entry.node, ["kind"])} ${entry.originalName} is already there (${twin.node.file}:${twin.node.line})`,
      "remove one of both",
    );
  else entries.push(entry);
}

function openLayer(
  files: Files,
  folder: string,
  problems: Problem[],
  read: Set<string>,
): Layer | undefined {
  const file = join(folder, "kustomization.yaml");
  const text = files.read(file);
  const report: Layer["report"] = (place, message, fix, rule = "kustomization") =>
    problems.push({ file: place.file, line: place.line, rule, message, fix });
  if (text === undefined) {
    report({ file: folder, line: 1 }, "has no kustomization.yaml", "add one, or correct the path");
    return undefined;
  }
  read.add(file);
  const parsed = readObjects(file, text);
  problems.push(...parsed.problems);
  const [object] = parsed.objects;
  if (!object) return undefined;
  const node = placed(object);
  const checked = Kustomization.safeParse(object.value);
  if (checked.success) return { folder, file, settings: checked.data, node, report, files, read };
  for (const issue of checked.error.issues) {
    const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
    const path = [...issue.path, ...unknown.slice(0, 1)] as (string | number)[];
    report(
      { file, line: object.lineOf(path) },
      unknown.length > 0
        ? `the field ${path.join(".")} is not known here`
        : `${path.join(".") || "the kustomization"}: ${issue.message}`,
      unknown.length > 0
        ? "correct its name; or teach it to scripts/lint-manifests/compose.ts, as nothing is passed over"
        : "correct it",
    );
  }
  return undefined;
}

function readResource(layer: Layer, path: string, problems: Problem[]): Entry[] {
  layer.read.add(path);
  const { objects, problems: found } = readObjects(path, layer.files.read(path) ?? "");
  problems.push(...found);
  return objects.map((object) => ({
    node: placed(object),
    originalName: object.name,
    generated: false,
  }));
}

export function placeIn(layer: Layer, path: readonly (string | number)[]): Place {
  return applied(layer.node).placeOf(path);
}

function transformed(layer: Layer, entries: Entry[]): Entry[] {
  const { settings } = layer;
  let left = entries;
  for (const [index] of (settings.patches ?? []).entries()) left = patched(layer, index, left);
  for (const { node } of left) {
    if (settings.namespace !== undefined) setNamespace(layer, node, settings.namespace);
    for (const [index, { pairs, includeTemplates }] of (settings.labels ?? []).entries())
      for (const [key, value] of Object.entries(pairs)) {
        const label = scalar(value, placeIn(layer, ["labels", index, "pairs", key]));
        put(node, ["metadata", "labels", key], label);
        if (includeTemplates && applied(node).value.spec)
          if (["Deployment", "Job"].includes(textAt(node, ["kind"])))
            put(node, ["spec", "template", "metadata", "labels", key], label);
      }
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
      const end = image.digest
        ? `@${image.digest}`
        : image.newTag !== undefined
          ? `:${image.newTag}`
          : rest;
      const field = image.digest ? "digest" : "newTag";
      members.set(
        "image",
        scalar(`${image.newName ?? name}${end}`, placeIn(layer, ["images", index, field])),
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
  const { objects, problems } = readObjects(file, isList ? `operations:\n${text}` : text);
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

/** Which members of a pod's spec name an object of a kind. */
const REFERENCES: Record<string, readonly (readonly string[])[]> = {
  PriorityClass: [["priorityClassName"]],
  ConfigMap: [
    ["configMapRef", "name"],
    ["configMapKeyRef", "name"],
    ["configMap", "name"],
  ],
};

function followRenames(entries: Entry[]): void {
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
