/** Makes ConfigMaps as kustomize's configMapGenerator does, and names them after their content. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path/posix";
import { type Entry, type Layer, placeIn } from "./layer.ts";
import { at, type Place, type Placed, put, scalar, textAt } from "./placed.ts";

/** Adds the layer's ConfigMaps, or merges them into those of the layers below. */
export function mergeGenerated(layer: Layer, entries: Entry[]): void {
  for (const [index, generator] of (layer.settings.configMapGenerator ?? []).entries()) {
    const place = placeIn(layer, ["configMapGenerator", index]);
    const behavior = generator.behavior ?? "create";
    let entry = entries.find(
      ({ node, originalName }) =>
        textAt(node, ["kind"]) === "ConfigMap" && originalName === generator.name,
    );
    if ((behavior === "create") === (entry !== undefined)) {
      const told = entry ? "is there already" : "is not there to be changed";
      layer.report(
        place,
        `the ConfigMap ${generator.name} ${told}`,
        "correct behavior or the name",
      );
      continue;
    }
    if (!entry) {
      const hashed = generator.options?.disableNameSuffixHash !== true;
      entry = {
        node: emptyConfigMap(generator.name, place),
        originalName: generator.name,
        generated: hashed,
      };
      entries.push(entry);
    }
    if (behavior === "replace") put(entry.node, ["data"], emptyMap(place));
    for (const [key, value] of dataOf(layer, index)) put(entry.node, ["data", key], value);
  }
}

const emptyMap = (place: Place): Placed => ({
  kind: "map",
  members: new Map(),
  file: place.file,
  line: place.line,
});

function emptyConfigMap(name: string, place: Place): Placed {
  const node = emptyMap(place);
  put(node, ["apiVersion"], scalar("v1", place));
  put(node, ["kind"], scalar("ConfigMap", place));
  put(node, ["metadata", "name"], scalar(name, place));
  put(node, ["data"], emptyMap(place));
  return node;
}

function dataOf(layer: Layer, index: number): [string, Placed][] {
  const { envs = [], files = [], literals = [] } = layer.settings.configMapGenerator?.[index] ?? {};
  const data: [string, Placed][] = [];
  const add = (text: string, place: Place) => {
    const [key = "", ...rest] = text.split("=");
    if (rest.length === 0)
      layer.report(place, `"${text}" is no KEY=value`, "give it a value after a =");
    else data.push([key.trim(), scalar(unquoted(rest.join("=")), place)]);
  };
  for (const [at, env] of envs.entries()) {
    const { file, text } = readListed(layer, env, ["configMapGenerator", index, "envs", at]);
    for (const [number, line] of (text ?? "").split("\n").entries())
      if (line.trim() !== "" && !line.trimStart().startsWith("#"))
        add(line.trimStart(), { file, line: number + 1 });
  }
  for (const [at, listed] of files.entries()) {
    const [path = "", key = basename(path)] = listed.split("=").reverse();
    const { file, text } = readListed(layer, path, ["configMapGenerator", index, "files", at]);
    data.push([key, scalar(text ?? "", { file, line: 1 })]);
  }
  for (const [at, literal] of literals.entries())
    add(literal, placeIn(layer, ["configMapGenerator", index, "literals", at]));
  return data;
}

function readListed(layer: Layer, path: string, at: Parameters<typeof placeIn>[1]) {
  const file = join(layer.folder, path);
  const text = layer.files.read(file);
  layer.read.add(file);
  if (text === undefined)
    layer.report(placeIn(layer, at), `${path} does not exist`, "correct the path");
  return { file, text };
}

const unquoted = (text: string) => /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;

/** Letters in place of digits that look like them, so that no word comes out. */
const SAFE: Record<string, string> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };

/** https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go */
export function nameByContent(node: Placed): void {
  const name = textAt(node, ["metadata", "name"]);
  const data = at(node, ["data"]);
  const sorted =
    data?.kind === "map"
      ? Object.fromEntries([...data.members.keys()].sort().map((key) => [key, textAt(data, [key])]))
      : {};
  // As Go's encoder writes it. The name is always empty there: it is looked up by the key "metadata/name".
  const json = JSON.stringify({ data: sorted, kind: "ConfigMap", name: "" }).replaceAll(
    /[<>&]/g,
    (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`,
  );
  const hash = createHash("sha256").update(json).digest("hex").slice(0, 10);
  const suffix = hash.replaceAll(/[013ae]/g, (letter) => SAFE[letter] ?? letter);
  const current = at(node, ["metadata", "name"]);
  if (current) put(node, ["metadata", "name"], scalar(`${name}-${suffix}`, current));
}
