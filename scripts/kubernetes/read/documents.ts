/** Kubernetes objects as they stand in YAML files, where each value knows its line. */
import { readFileSync } from "node:fs";
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Tags,
  visit,
} from "yaml";

/** Something wrong in a file, told as a compiler would. */
export interface Problem {
  /** As it was given: relative to the repository where the tools read it. */
  file: string;
  /** From 1. */
  line: number;
  /** Name of the rule that it breaks, in kebab-case. */
  rule: string;
  message: string;
  /** What to do. */
  fix: string;
}

export type Path = readonly (string | number)[];

/** One YAML document that holds a Kubernetes object. */
export interface SourceObject {
  file: string;
  /** "" where it is missing. */
  apiVersion: string;
  /** "" where it is missing. */
  kind: string;
  /** `metadata.name`, "" where it is missing. */
  name: string;
  /** The whole object, as plain data. */
  value: Record<string, unknown>;
  /** Line of the value at a path; that of its nearest parent where there is none. */
  lineOf(path: Path): number;
  /** File of the value at a path, where an object was put together from several; `file` without it. */
  fileOf?(path: Path): string;
}

/**
 * Reads all documents of a file; empty ones are left out. YAML 1.1, as kubectl reads it: `yes` and `on`
 * are booleans there.
 * Broken YAML, a repeated key and a document that is no object become problems (rule `yaml`).
 */
export function readObjects(
  file: string,
  text = readFileSync(file, "utf8"),
): { objects: SourceObject[]; problems: Problem[] } {
  const lines = new LineCounter();
  const objects: SourceObject[] = [];
  const problems: Problem[] = [];
  const problem = (line: number, message: string) =>
    problems.push({ file, line, rule: "yaml", message, fix: "correct the YAML" });
  for (const document of parseAllDocuments(text, {
    lineCounter: lines,
    version: "1.1",
    customTags: withoutTimestamps,
  })) {
    if (!("errors" in document)) continue;
    for (const error of document.errors) {
      problem(lines.linePos(error.pos[0]).line, error.message.split("\n")[0] ?? error.message);
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    if (holdsItself(document)) {
      problem(lineOfNode(document.contents, lines), "an alias stands inside of its own anchor");
      continue;
    }
    const value: unknown = document.toJS();
    if (value === null) continue;
    if (!isMap(document.contents)) {
      problem(lineOfNode(document.contents, lines), "is no object: a Kubernetes object is a map");
      continue;
    }
    objects.push(sourceObject(file, document, value as Record<string, unknown>, lines));
  }
  return { objects, problems };
}

/** A date stays the text that it is, as in kubectl: JSON has none. */
const withoutTimestamps = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === "string" || tag.tag !== "tag:yaml.org,2002:timestamp");

function holdsItself(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document);
      found ||= target !== undefined && ancestors.includes(target);
    },
  });
  return found;
}

function sourceObject(
  file: string,
  document: Document,
  value: Record<string, unknown>,
  lines: LineCounter,
): SourceObject {
  const text = (it: unknown) => (typeof it === "string" ? it : "");
  const metadata = value.metadata as Record<string, unknown> | null | undefined;
  return {
    file,
    apiVersion: text(value.apiVersion),
    kind: text(value.kind),
    name: text(metadata?.name),
    value,
    lineOf: (path) => lineAt(document.contents, path, lines),
  };
}

/** A member of a map stands where its key does, which is the line that a reader looks for. */
function lineAt(root: Node | null, path: Path, lines: LineCounter): number {
  let node: unknown = root;
  let line = lineOfNode(root, lines);
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (!pair) break;
      line = lineOfNode(pair.key as Node, lines);
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as Node | undefined;
      if (!item) break;
      line = lineOfNode(item, lines);
      node = item;
    } else break;
  }
  return line;
}

function lineOfNode(node: Node | null, lines: LineCounter): number {
  return lines.linePos(node?.range?.[0] ?? 0).line;
}
