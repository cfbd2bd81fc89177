/** `make new-worker NAME=invoices`: an engine that passes its test and the conformance suite at once. */
import "../show/closed-pipe.ts";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { NAME } from "@tl-engine/shared/wire/names";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";
import { linkPackage } from "./new-worker/link-package.ts";
import { listEngine } from "./new-worker/list-engine.ts";
import { LISTINGS, PARTS } from "./new-worker/parts.ts";

const TEMPLATE = fileURLToPath(new URL("./new-worker/template", import.meta.url));
/** Queues of these names are no engine's, or packages are called so. */
const RESERVED = [
  "unrouted",
  "replies",
  "shared",
  "client",
  "tools",
  "kustomization",
  "trigger-authentication",
];

/** Why no engine can have this name; undefined when one can. */
export function refuseName(name: string, taken: string[]): string | undefined {
  if (!NAME.test(name))
    return `NAME must match ${NAME.source}: lower-case letters, digits and hyphens, a letter first.`;
  if (RESERVED.includes(name)) return `NAME=${name} is reserved.`;
  if (taken.includes(name)) return `workers/${name} is there already.`;
  return undefined;
}

/** Whole words only, and not the field of a Deployment that is called so, too. */
const named = (text: string, name: string) => text.replaceAll(/(?<!\/spec\/)\btemplate\b/g, name);

function scaffold(name: string): string[] {
  const written: string[] = [];
  for (const { path, template } of PARTS) {
    if (template === undefined) continue;
    const file = path(name);
    mkdirSync(join(REPOSITORY, dirname(file)), { recursive: true });
    const text = readFileSync(join(TEMPLATE, template), "utf8");
    writeFileSync(join(REPOSITORY, file), named(text, name), { flag: "wx" });
    written.push(file);
  }
  return written;
}

function run(file: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: REPOSITORY, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`);
}

async function main(): Promise<void> {
  const { NAME: name = "" } = process.env;
  const refused = refuseName(name, await takenNames(name));
  if (refused !== undefined) {
    process.stderr.write(`${refused}\n`);
    process.exitCode = 2;
    return;
  }
  const written = scaffold(name);
  for (const listing of LISTINGS) listEngine(REPOSITORY, listing, name);
  linkPackage(REPOSITORY, `workers/${name}`);
  // A long name breaks lines elsewhere.
  run(join(REPOSITORY, "node_modules/.bin/biome"), "check", "--write", `workers/${name}`);
  run(process.execPath, "scripts/author/contract.ts");
  const generated = PARTS.filter(({ template }) => template === undefined);
  console.log([...written, ...generated.map(({ path }) => path(name))].join("\n"));
  console.log(`Listed in: ${LISTINGS.map(({ file }) => file).join(", ")}`);
  console.log(
    `\nNext: make test TESTS=workers/${name}, then write what it does in workers/${name}/index.ts,` +
      "\nand `make contract` after each change of a schema.",
  );
}

/** A folder without an index.ts is in the way, too. */
async function takenNames(name: string): Promise<string[]> {
  const taken = await workerFolders();
  return existsSync(join(REPOSITORY, "workers", name)) ? [...taken, name] : taken;
}

if (import.meta.main) await main();
