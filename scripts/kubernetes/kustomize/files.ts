/** The files of keda/ and manifests/, as they are or as a test changes them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { REPOSITORY } from "../../repository.ts";
import { readObjects } from "../read/documents.ts";

const FOLDERS = ["keda", "manifests"];

/** Paths are relative to the repository, with slashes. */
export interface Files {
  /** undefined: there is no such file. */
  read(path: string): string | undefined;
  paths: readonly string[];
}

export function repositoryFiles(root = REPOSITORY): Files {
  const texts = new Map<string, string>();
  for (const folder of FOLDERS) {
    if (!existsSync(join(root, folder))) continue;
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      texts.set(relative(root, path).split(sep).join("/"), readFileSync(path, "utf8"));
    }
  }
  return filesOf(texts);
}

export const filesOf = (texts: ReadonlyMap<string, string>): Files => ({
  read: (path) => texts.get(path),
  paths: [...texts.keys()].sort(),
});

type Read = ReturnType<typeof readObjects>;
const parsed = new Map<string, Read>();

/** As readObjects, which takes most of the time: several overlays read the same file. */
export function readOnce(path: string, text: string): Read {
  const key = `${path}\n${text}`;
  const read = parsed.get(key) ?? readObjects(path, text);
  parsed.set(key, read);
  return { objects: read.objects, problems: [...read.problems] };
}
