/** `make handbook`: writes the parts of the handbook anew that come from the code, between their marks. */
import "../show/closed-pipe.ts";
import { readFileSync, writeFileSync } from "node:fs";
import { REPOSITORY } from "../repository.ts";
import { withTable } from "../scaling/simulate/figure-tables.ts";
import { generatedParts } from "./handbook/parts.ts";

if (import.meta.main)
  for (const { page, name, text } of await generatedParts()) {
    const path = `${REPOSITORY}${page}`;
    const before = readFileSync(path, "utf8");
    const after = withTable(before, name, text);
    if (after === before) continue;
    writeFileSync(path, after);
    console.log(`Written: ${name} of ${page}`);
  }
