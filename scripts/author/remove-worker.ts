/** `make remove-worker NAME=invoices`: what `make new-worker` makes and lists, taken out again. */

import "../show/closed-pipe.ts";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { BURIALS, SCHEDULER } from "@tl-engine/shared/wire/names";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";
import { unlinkPackage } from "./new-worker/link-package.ts";
import { unlistEngine } from "./new-worker/list-engine.ts";
import { LISTINGS, PARTS } from "./new-worker/parts.ts";

/** Why it can't be removed; undefined when it can. */
export function refuseRemoval(name: string, engines: string[]): string | undefined {
  if (name === BURIALS) return `NAME=${name}: the fleet needs it, it ends what the broker drops.`;
  if (name === SCHEDULER)
    return `NAME=${name}: the fleet needs it, it keeps jobs until their time, and runs what the engines schedule.`;
  if (!engines.includes(name)) return `NAME=${name} is no engine: ${engines.join(", ")}.`;
  return undefined;
}

/** What git does not have yet would be lost; without git nothing can be told. */
function unsaved(paths: string[]): string {
  const git = spawnSync("git", ["status", "--porcelain", "--", ...paths], {
    cwd: REPOSITORY,
    encoding: "utf8",
  });
  return git.status === 0 ? git.stdout.trim() : "";
}

async function main(): Promise<void> {
  const { NAME: name = "", FORCE: force = "" } = process.env;
  const paths = [`workers/${name}`, ...PARTS.map(({ path }) => path(name))];
  const refused =
    refuseRemoval(name, await workerFolders()) ??
    (force === "" && unsaved(paths) !== ""
      ? `NAME=${name} has changes that git does not have; commit them, or say FORCE=1:\n${unsaved(paths)}`
      : undefined);
  if (refused !== undefined) {
    process.stderr.write(`${refused}\n`);
    process.exitCode = 2;
    return;
  }
  const removed = paths.filter((path) => existsSync(join(REPOSITORY, path)));
  for (const path of removed) {
    rmSync(join(REPOSITORY, path), { recursive: true, force: true });
    const folder = join(REPOSITORY, dirname(path));
    if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
  }
  for (const listing of LISTINGS) unlistEngine(REPOSITORY, listing, name);
  unlinkPackage(REPOSITORY, `workers/${name}`, `@tl-engine/${name}`);
  const contract = spawnSync(process.execPath, ["scripts/author/contract.ts"], {
    cwd: REPOSITORY,
    encoding: "utf8",
  });
  if (contract.status !== 0)
    throw new Error(`scripts/author/contract.ts failed:\n${contract.stdout}${contract.stderr}`);
  console.log(removed.join("\n"));
  console.log(`Taken out of: ${LISTINGS.map(({ file }) => file).join(", ")}`);
  console.log(
    `\nNext: see what still names it (git grep -n ${name}), then deploy. make topology unbinds its queues, and with` +
      "\nPRUNE=1 deletes them where they are empty. Its schema in Postgres and its users stay until you remove them:" +
      "\nonly you know whether what they hold is still wanted.",
  );
}

if (import.meta.main) await main();
