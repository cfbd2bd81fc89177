/**
 * Fills Node's compile cache inside of an image's build: imports all that a start imports, without
 * starting anything, and what a worker loads later (the metrics, at the first scrape). In an engine's
 * image the bundle runs, in the tools' image the sources.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The discard port, where nothing listens in a build. */
const NOWHERE = {
  AMQP_URL: "amqp://127.0.0.1:9",
  DATABASE_URL: "postgres://127.0.0.1:9/none",
  REDIS_URL: "redis://127.0.0.1:9",
};

const bundled = globSync(["workers/*/index.js", "shared/*.js"]);
const run = (script: string[], env = {}) =>
  spawnSync(process.execPath, script, { stdio: "ignore", env: { ...process.env, ...env } });
// First of all, since a file's first user decides which of its functions are kept compiled: a start that
// goes as far as it can where nobody answers.
for (const worker of globSync("workers/*/index.js")) run(["shared/main.js", worker], NOWHERE);
const modules = bundled.length > 0 ? bundled : globSync(["workers/*/index.ts", "shared/*.ts"]);
// An engine is data, and importing it starts nothing; so are the parts of the library.
for (const file of modules)
  if (!/^shared\/main\./.test(file)) await import(pathToFileURL(resolve(file)).href);
if (bundled.length === 0) createRequire(resolve("shared/process/metrics.ts"))("prom-client");

// Without an argument or an environment these only say what they need. They count: a single file that
// is not in the cache has Node load its TypeScript parser, a tenth of a second.
for (const program of globSync(["shared/main.{js,ts}", "scripts/*.ts"])) run([program]);
