/** Notes which test fleets are open, so that a run that was broken off still leaves nothing on given servers. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shellWord, startReaper } from "../services/reaper.ts";
import { type FleetToRemove, removeFleet } from "../services/remove-fleet.ts";

/** The folder of the notes, one file a fleet; its processes inherit it. */
const FOLDER = "TEST_FLEETS_FOLDER";

export type Removable = Omit<FleetToRemove, "urls">;

/**
 * From now on fleets are noted, and removed at the latest when this process ends, in whatever way; Vitest calls no
 * teardown at Ctrl-C. The function does it now, and returns the prefixes of those that were not closed.
 */
export function watchFleets(): () => Promise<string[]> {
  process.env[FOLDER] = mkdtempSync(join(tmpdir(), "test-fleets-"));
  const reaper = startReaper();
  const code = `import { removeLeftFleets } from ${JSON.stringify(import.meta.url)}; await removeLeftFleets();`;
  const words = [process.execPath, "--input-type=module", "--eval", code];
  reaper.runAtEnd(words.map(shellWord).join(" "));
  return async () => {
    try {
      return await removeLeftFleets();
    } finally {
      await reaper.end();
    }
  };
}

/** Notes that a fleet is open; the function says that it was removed. Without a folder it does nothing. */
export function noteFleet(fleet: Removable): () => void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return () => {};
  const file = join(folder, fleet.prefix);
  writeFileSync(file, JSON.stringify(fleet));
  return () => rmSync(file, { force: true });
}

/** Reads the notes, removes what they name, and the notes. */
export async function removeLeftFleets(): Promise<string[]> {
  const folder = process.env[FOLDER];
  if (folder === undefined || !existsSync(folder)) return [];
  const urls = process.env as unknown as FleetToRemove["urls"];
  const prefixes = readdirSync(folder);
  try {
    for (const prefix of prefixes) {
      const fleet = JSON.parse(readFileSync(join(folder, prefix), "utf8")) as Removable;
      await removeFleet({ ...fleet, urls });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return prefixes;
}
