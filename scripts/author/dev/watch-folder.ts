/** Tells which files change below a folder, also when an editor replaces them or makes new folders. */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join } from "node:path";

export interface FolderWatch {
  close(): void;
}

/** Folders that hold nothing of the project. */
const IGNORED = /^(?:node_modules|dist|coverage|\..*)$/;

/**
 * One watcher per folder instead of a recursive one: on Linux Node's recursive watch follows each file
 * by itself, and loses those that an editor replaces by renaming.
 * @param onChange gets the file's path; it may be called more than once for one change.
 */
export function watchFolder(root: string, onChange: (path: string) => void): FolderWatch {
  const watchers = new Map<string, FSWatcher>();

  /** Whatever is in a folder that appeared later came too early to be seen. */
  function add(folder: string, appeared = false): void {
    if (watchers.has(folder)) return;
    const watcher = watch(folder, (_event, name) => {
      if (name === null || IGNORED.test(name)) return;
      const path = join(folder, name);
      if (isFolder(path)) add(path, true);
      else onChange(path);
    });
    watcher.on("error", () => drop(folder));
    watchers.set(folder, watcher);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (IGNORED.test(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) add(path, appeared);
      else if (appeared) onChange(path);
    }
  }

  function drop(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  add(root);
  return {
    close() {
      for (const folder of [...watchers.keys()]) drop(folder);
    },
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
