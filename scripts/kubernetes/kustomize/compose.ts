/** Puts together what a kustomization applies, without kubectl, so that every value still knows its line. */
import { join } from "node:path/posix";
import type { Problem } from "../read/documents.ts";
import { changeObjects } from "./change-objects.ts";
import { mergeGenerated, nameByContent } from "./config-map-generator.ts";
import { type Files, readOnce } from "./files.ts";
import { followRenames } from "./follow-renames.ts";
import { Kustomization } from "./kustomization-schema.ts";
import { type Entry, type Layer, placeIn } from "./layer.ts";
import { type AppliedObject, applied, type Place, placed, textAt } from "./placed.ts";

export interface Composition {
  objects: AppliedObject[];
  problems: Problem[];
  /** All files that were read. */
  files: Set<string>;
}

/**
 * @param folder that of a kustomization.yaml, from the repository's root.
 * @param extra components, from that folder, that are put together as if it listed them last.
 */
export function compose(files: Files, folder: string, extra: readonly string[] = []): Composition {
  const problems: Problem[] = [];
  const read = new Set<string>();
  const entries = accumulate(files, folder, [], { problems, read, inside: [], extra });
  for (const entry of entries) if (entry.generated) nameByContent(entry.node);
  followRenames(entries);
  return { objects: entries.map(({ node }) => applied(node)), problems, files: read };
}

interface Walk {
  problems: Problem[];
  read: Set<string>;
  /** Folders of the kustomizations that are being read, outermost first. */
  inside: readonly string[];
  /** Components that the outermost one lists besides its own. */
  extra: readonly string[];
}

/** @param below what a component works on. */
function accumulate(files: Files, folder: string, below: Entry[], walk: Walk): Entry[] {
  const { problems, read } = walk;
  const layer = openLayer(files, folder, problems, read);
  if (!layer) return below;
  if (walk.inside.includes(folder)) {
    layer.report(
      layer.node,
      "the kustomization is part of itself",
      "break the circle of resources",
    );
    return below;
  }
  const deeper = { ...walk, inside: [...walk.inside, folder] };
  const { settings } = layer;
  const entries = [...below];
  for (const [index, resource] of (settings.resources ?? []).entries()) {
    const place = placeIn(layer, ["resources", index]);
    const path = join(folder, resource);
    const more =
      files.read(path) === undefined
        ? files.read(join(path, "kustomization.yaml")) === undefined
          ? missing(layer, place, resource)
          : accumulate(files, path, [], deeper)
        : readResource(layer, path, problems);
    for (const entry of more) addEntry(entries, entry, layer);
  }
  let all = entries;
  const extra = walk.inside.length === 0 ? walk.extra : [];
  for (const component of new Set([...(settings.components ?? []), ...extra]))
    all = accumulate(files, join(folder, component), all, deeper);
  mergeGenerated(layer, all);
  return changeObjects(layer, all);
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
  const parsed = readOnce(file, text);
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
        ? "correct its name; or teach it to scripts/kubernetes/kustomize/, as nothing is passed over"
        : "correct it",
    );
  }
  return undefined;
}

function readResource(layer: Layer, path: string, problems: Problem[]): Entry[] {
  layer.read.add(path);
  const { objects, problems: found } = readOnce(path, layer.files.read(path) ?? "");
  problems.push(...found);
  return objects.map((object) => ({
    node: placed(object),
    originalName: object.name,
    generated: false,
  }));
}
