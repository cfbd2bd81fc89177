/** A tree of values, each of which knows the file and the line it came from, whatever it is merged into. */
import type { Path, SourceObject } from "../read/documents.ts";

export interface Place {
  file: string;
  /** From 1. */
  line: number;
}

export type Scalar = string | number | boolean | null;

/** A member of a map stands where its key does. */
export type Placed = Place &
  (
    | { kind: "scalar"; value: Scalar }
    | { kind: "map"; members: Map<string, Placed> }
    | { kind: "list"; items: Placed[] }
  );

/** One object as the API server would get it. */
export interface AppliedObject extends SourceObject {
  /** "" for what belongs to the whole cluster. */
  namespace: string;
  /** Place of the value at a path; that of its nearest parent where there is none. */
  placeOf(path: Path): Place;
}

/** @param lineOffset added to each line, for text that stands inside of another file. */
export function placed(source: SourceObject, lineOffset = 0): Placed {
  const build = (value: unknown, path: Path): Placed => {
    const place = { file: source.file, line: source.lineOf(path) + lineOffset };
    if (Array.isArray(value))
      return { ...place, kind: "list", items: value.map((item, i) => build(item, [...path, i])) };
    if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).map(([key, member]): [string, Placed] => [
        key,
        build(member, [...path, key]),
      ]);
      return { ...place, kind: "map", members: new Map(members) };
    }
    return { ...place, kind: "scalar", value: (value ?? null) as Scalar };
  };
  return build(source.value, []);
}

export const scalar = (value: Scalar, { file, line }: Place): Placed => ({
  kind: "scalar",
  value,
  file,
  line,
});

export function plain(node: Placed): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(plain);
    case "map":
      return Object.fromEntries([...node.members].map(([key, member]) => [key, plain(member)]));
  }
}

/** A copy that can be changed without changing the original. */
export function copied(node: Placed): Placed {
  switch (node.kind) {
    case "scalar":
      return { ...node };
    case "list":
      return { ...node, items: node.items.map(copied) };
    case "map":
      return {
        ...node,
        members: new Map([...node.members].map(([key, member]) => [key, copied(member)])),
      };
  }
}

export function child(node: Placed | undefined, step: string | number): Placed | undefined {
  if (node?.kind === "map") return node.members.get(String(step));
  if (node?.kind === "list") return node.items[Number(step)];
  return undefined;
}

export const at = (node: Placed, path: Path) =>
  path.reduce<Placed | undefined>((current, step) => child(current, step), node);

/** Text of a scalar; "" for anything else. */
export function textAt(node: Placed, path: Path): string {
  const found = at(node, path);
  return found?.kind === "scalar" && typeof found.value === "string" ? found.value : "";
}

/** Sets a member, and makes the maps on the way there. */
export function put(node: Placed, path: readonly string[], value: Placed): void {
  const [key, ...rest] = path;
  if (node.kind !== "map" || key === undefined) return;
  if (rest.length === 0) {
    node.members.set(key, value);
    return;
  }
  let next = node.members.get(key);
  if (next?.kind !== "map") {
    next = { kind: "map", members: new Map(), file: value.file, line: value.line };
    node.members.set(key, next);
  }
  put(next, rest, value);
}

/** Calls `visit` for each map of the tree, with the path to it. */
export function eachMap(
  node: Placed,
  visit: (members: Map<string, Placed>, path: Path) => void,
  path: Path = [],
): void {
  if (node.kind === "list") {
    for (const [index, item] of node.items.entries()) eachMap(item, visit, [...path, index]);
  } else if (node.kind === "map") {
    visit(node.members, path);
    for (const [key, member] of node.members) eachMap(member, visit, [...path, key]);
  }
}

export function applied(node: Placed): AppliedObject {
  const placeOf = (path: Path): Place => {
    let current = node;
    for (const step of path) {
      const next = child(current, step);
      if (!next) break;
      current = next;
    }
    return { file: current.file, line: current.line };
  };
  return {
    file: node.file,
    apiVersion: textAt(node, ["apiVersion"]),
    kind: textAt(node, ["kind"]),
    name: textAt(node, ["metadata", "name"]),
    namespace: textAt(node, ["metadata", "namespace"]),
    value: plain(node) as Record<string, unknown>,
    placeOf,
    lineOf: (path) => placeOf(path).line,
    fileOf: (path) => placeOf(path).file,
  };
}
