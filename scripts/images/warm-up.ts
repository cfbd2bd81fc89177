/**
 * Fills Node's compile cache inside of an image's build: imports all that a start imports, without
 * starting anything, and what a worker loads later (the metrics, at the first scrape).
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// An engine is data, and importing it starts nothing; so are the parts of the library.
for (const file of globSync(["workers/*/index.ts", "shared/*.ts"]))
  if (file !== "shared/main.ts") await import(pathToFileURL(resolve(file)).href);
createRequire(resolve("shared/metrics.ts"))("prom-client");

// Without an argument or an environment these only say what they need. They count: a single file that
// is not in the cache has Node load its TypeScript parser, a tenth of a second.
for (const program of globSync(["shared/main.ts", "scripts/*.ts"]))
  spawnSync(process.execPath, [program], { stdio: "ignore" });
