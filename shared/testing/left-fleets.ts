/** Notes which test fleets are open, so that a run that was broken off still leaves nothing on given servers. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FleetToRemove, removeFleet } from "../services/remove-fleet.ts";

/** The folder of the notes, one file a fleet; its processes inherit it. */
const FOLDER = "TEST_FLEETS_FOLDER";

export type Removable = Omit<FleetToRemove, "urls">;

export function openNotes(): void {
  process.env[FOLDER] = mkdtempSync(join(tmpdir(), "test-fleets-"));
}

/** Notes that a fleet is open; the function says that it was removed. Without a folder it does nothing. */
export function noteFleet(fleet: Removable): () => void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return () => {};
  const file = join(folder, fleet.prefix);
  writeFileSync(file, JSON.stringify(fleet));
  return () => rmSync(file, { force: true });
}

/** Removes the fleets that were not closed, and the notes. Returns their prefixes. */
export async function removeLeftFleets(urls: FleetToRemove["urls"]): Promise<string[]> {
  const folder = process.env[FOLDER];
  if (folder === undefined) return [];
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
