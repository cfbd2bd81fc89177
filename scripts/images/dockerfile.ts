/** Reads the Dockerfile and .dockerignore, as far as it takes to tell what goes into an image. */
import { globSync, readFileSync, statSync } from "node:fs";
import { matchesGlob } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { BUNDLED, bundleOf } from "./bundle.ts";
import { TOOLS } from "./image-set.ts";

export interface Instruction {
  line: number;
  name: string;
  /** The rest of the instruction, with continued lines joined. */
  text: string;
}

export interface Stage {
  from: string;
  /** Its name; empty for a last one without. */
  as: string;
  line: number;
  instructions: Instruction[];
}

export function parseDockerfile(source: string): { args: Instruction[]; stages: Stage[] } {
  const args: Instruction[] = [];
  const stages: Stage[] = [];
  let open: Instruction | undefined;
  for (const [index, line] of source.split("\n").entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const text = line.replace(/\\$/, "").trim();
    if (open) open.text += ` ${text}`;
    else {
      const [name = "", ...rest] = text.split(/\s+/);
      open = { line: index + 1, name: name.toUpperCase(), text: rest.join(" ") };
    }
    if (line.endsWith("\\")) continue;
    if (open.name === "FROM") {
      const [from = "", , as = ""] = open.text.split(/\s+/);
      stages.push({ from, as, line: open.line, instructions: [] });
    } else (stages.at(-1)?.instructions ?? args).push(open);
    open = undefined;
  }
  return { args, stages };
}

/** Whether .dockerignore lets a path through: the last pattern that matches it, or a folder above it, decides. */
export function ignoreRules(source: string): (path: string) => boolean {
  const rules = source
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ keeps: line.startsWith("!"), pattern: line.replace(/^!/, "") }));
  return (path) => {
    const parts = path.split("/");
    const itself = parts.map((_, n) => parts.slice(0, n + 1).join("/"));
    let kept = true;
    for (const { keeps, pattern } of rules)
      if (itself.some((prefix) => matchesGlob(prefix, pattern))) kept = keeps;
    return kept;
  };
}

/** The repository's files that an image is to hold, from its stage's COPY lines: paths under /app. */
export function sourceFilesOf(name: string): string[] {
  const { stages } = parseDockerfile(readFileSync(`${REPOSITORY}Dockerfile`, "utf8"));
  const kept = ignoreRules(readFileSync(`${REPOSITORY}.dockerignore`, "utf8"));
  const stage = stages.find(
    ({ as }) => as === (name === TOOLS ? "tools-sources" : "engine-sources"),
  );
  const copied = (stage?.instructions ?? [])
    .filter(({ name }) => name === "COPY")
    .flatMap(({ text }) => text.replaceAll(`\${NAME}`, name).split(/\s+/).slice(0, -1));
  const files = copied.flatMap((path) =>
    statSync(REPOSITORY + path).isDirectory() ? filesUnder(path) : [path],
  );
  return files.filter(kept).sort();
}

/** What the build bundles for an image, as paths under /app. */
export const bundlesOf = (name: string): string[] =>
  name === TOOLS ? [] : [...BUNDLED, `workers/${name}/index.ts`].map(bundleOf);

function filesUnder(folder: string): string[] {
  return globSync(`${folder}/**`, {
    cwd: REPOSITORY,
    exclude: (path) => path.endsWith("node_modules"),
  }).filter((path) => statSync(REPOSITORY + path).isFile());
}
