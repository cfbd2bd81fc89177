/**
 * Writes what follows from the workers' definitions: the contract for callers, in docs/contract/ and
 * shared/client/contract.ts, and the file of schedules.
 */
import "../show/closed-pipe.ts";
import { spawnSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { WorkerDefinition } from "@tl-engine/shared";
import { DEFAULT_MAX_BYTES } from "../../shared/client/contract-of.ts";
import { type Action, DEFAULT_MAX_ATTEMPTS } from "../../shared/engine/define-worker.ts";
import {
  inputSchema,
  type JsonSchema,
  outputSchema,
} from "../../shared/engine/published-schema.ts";
import { longestReplyMs } from "../../shared/job/retry.ts";
import { ERROR_CODES } from "../../shared/wire/error-codes.ts";
import { jobType } from "../../shared/wire/names.ts";
import { REPOSITORY, SCHEDULES_FILE } from "../repository.ts";
import { loadWorkers } from "../workers.ts";
import { asyncapiDocument } from "./contract/asyncapi.ts";
import { compatibilityReport, writeBaseline } from "./contract/compatibility/baseline.ts";
import { contractPage } from "./contract/engine-page.ts";
import { contractHtml, type Documented } from "./contract/html/page.ts";
import { contractReadme } from "./contract/readme.ts";
import { BadSchedules, schedulesFile } from "./contract/schedules-file.ts";
import { callableActions, contractSource } from "./contract/types.ts";

const DOCS = "docs/contract";
const TYPES = "shared/client/contract.ts";
const ASYNCAPI = `${DOCS}/asyncapi.json`;
const HTML = `${DOCS}/index.html`;
const PYTHON = `${DOCS}/python/tl_engine.py`;

export interface ActionContract {
  type: string;
  version: number;
  maxInputBytes: number;
  maxOutputBytes: number;
  /** Types of the events that it may announce. */
  emits: string[];
  /** Good inputs, in several spellings. */
  examples: { title: string; input: unknown }[];
  input: JsonSchema;
  output: JsonSchema;
}

export interface EngineContract {
  engine: string;
  /** Ceiling of one run. */
  timeoutMs: number;
  /** Counted runs before a job ends as `attempts_exhausted`. */
  maxAttempts: number;
  /** From the first run's begin to the final reply, at most, while all services are there. */
  longestReplyMs: number;
  /** Jobs are done in no order. */
  order: "none";
  actions: Record<string, ActionContract>;
  events: Record<string, JsonSchema>;
  errorCodes: string[];
}

/** Whose jobs its examples are. */
const EXAMPLE_WORKSPACE = "acme";

/** What callers see of a worker; undefined for one that takes no jobs from outside. */
export function engineContract(definition: WorkerDefinition): EngineContract | undefined {
  const { name, timeoutMs, maxAttempts = DEFAULT_MAX_ATTEMPTS } = definition;
  const actions = callableActions(definition);
  if (actions.length === 0) return undefined;
  const events = actions.flatMap(([, { emits = {} }]) => Object.entries(emits));
  return {
    engine: name,
    timeoutMs,
    maxAttempts,
    longestReplyMs: longestReplyMs(definition),
    order: "none",
    actions: Object.fromEntries(
      actions.map(([action, facts]) => [action, actionContract(name, action, facts)]),
    ),
    events: Object.fromEntries(events.map(([type, schema]) => [type, outputSchema(schema)])),
    errorCodes: Object.keys(ERROR_CODES),
  };
}

function actionContract(engine: string, action: string, facts: Action): ActionContract {
  const { version, examples = [], maxInputBytes, maxOutputBytes, emits = {} } = facts;
  return {
    type: jobType(engine, action, version),
    version,
    maxInputBytes: maxInputBytes ?? DEFAULT_MAX_BYTES,
    maxOutputBytes: maxOutputBytes ?? DEFAULT_MAX_BYTES,
    emits: Object.keys(emits),
    examples: examples.map(({ title, input }) => ({ title, input: input(0, EXAMPLE_WORKSPACE) })),
    input: inputSchema(facts.input, "published"),
    output: outputSchema(facts.output),
  };
}

/** Formats as the linter wants it. */
function formatted(file: string, text: string): string {
  const biome = join(REPOSITORY, "node_modules/.bin/biome");
  const result = spawnSync(biome, ["format", `--stdin-file-path=${file}`], {
    input: text,
    cwd: REPOSITORY,
    encoding: "utf8",
    maxBuffer: 64 * DEFAULT_MAX_BYTES,
  });
  if (result.status !== 0) throw new Error(`biome format ${file}: ${result.stderr}`);
  return result.stdout;
}

/** The Python module as it is, with what it knows of the contract between its two marks. */
async function pythonSource(engines: EngineContract[]): Promise<string> {
  const lines = engines.flatMap(({ engine, actions }) => [
    `    "${engine}": {`,
    ...Object.entries(actions).map(
      ([action, { version, maxInputBytes }]) =>
        `        "${action}": {"version": ${version}, "max_input_bytes": ${maxInputBytes}},`,
    ),
    "    },",
  ]);
  const table = `ENGINES: Dict[str, Dict[str, Dict[str, int]]] = {\n${lines.join("\n")}\n}\n`;
  const text = await readFile(join(REPOSITORY, PYTHON), "utf8");
  return text.replace(
    /(# Generated by make contract\.\n)[\s\S]*?(?=# End of what is generated\.)/,
    (_, begin) => begin + table,
  );
}

/** All generated files, by their path in the repository. */
export async function contractFiles(definitions: WorkerDefinition[]): Promise<Map<string, string>> {
  const callable = definitions.filter(({ actions }) => Object.keys(actions).length > 0);
  const documented = callable.flatMap((definition): Documented[] => {
    const contract = engineContract(definition);
    return contract ? [{ contract, definition }] : [];
  });
  const engines = documented.map(({ contract }) => contract);
  const files = new Map<string, string>();
  for (const { contract, definition } of documented) {
    const file = `${DOCS}/${contract.engine}.json`;
    files.set(file, formatted(file, JSON.stringify(contract, null, 2)));
    const page = `${DOCS}/${contract.engine}.md`;
    files.set(page, formatted(page, contractPage(contract, definition)));
  }
  files.set(ASYNCAPI, formatted(ASYNCAPI, JSON.stringify(asyncapiDocument(engines))));
  files.set(HTML, contractHtml(documented));
  const readme = `${DOCS}/README.md`;
  files.set(readme, formatted(readme, contractReadme(engines)));
  files.set(TYPES, formatted(TYPES, await contractSource(callable)));
  files.set(PYTHON, await pythonSource(engines));
  const schedules = schedulesFile(definitions);
  if (schedules !== undefined)
    files.set(SCHEDULES_FILE, formatted(SCHEDULES_FILE, JSON.stringify(schedules)));
  return files;
}

/** Paths that differ from what is in the repository, also of engines that are no more. */
async function staleFiles(files: Map<string, string>): Promise<string[]> {
  const stale: string[] = [];
  for (const [file, text] of files) {
    const present = await readFile(join(REPOSITORY, file), "utf8").catch(() => undefined);
    if (present !== text) stale.push(file);
  }
  const left = await readdir(join(REPOSITORY, DOCS)).catch(() => []);
  const schemas = left.filter((name) => name.endsWith(".json")).map((name) => `${DOCS}/${name}`);
  return [...stale, ...schemas.filter((file) => !files.has(file))];
}

/** Says what breaks callers since the last release, and that it must not stay so. */
async function checkCompatibility(engines: EngineContract[]): Promise<void> {
  const { lines, breaks } = await compatibilityReport(REPOSITORY, engines);
  for (const line of lines) console.error(line);
  if (breaks > 0) process.exitCode = 1;
}

async function main(): Promise<void> {
  const options = { check: { type: "boolean" }, baseline: { type: "boolean" } } as const;
  const { values } = parseArgs({ options });
  const definitions = (await loadWorkers()).map(({ definition }) => definition);
  const engines = definitions.map(engineContract).filter((engine) => engine !== undefined);
  const files = await contractFiles(definitions);
  const stale = await staleFiles(files);
  if (values.check) {
    for (const file of stale) console.error(`${file} is stale; run: make contract`);
    if (stale.length > 0) process.exitCode = 1;
    await checkCompatibility(engines);
    return;
  }
  for (const file of stale) {
    const text = files.get(file);
    const path = join(REPOSITORY, file);
    if (text === undefined) await rm(path);
    else await writeFile(path, text);
    console.log(`${text === undefined ? "removed" : "written"}: ${file}`);
  }
  if (stale.length === 0) console.log("The contract is up to date.");
  if (!values.baseline) return;
  const names = engines.map(({ engine }) => engine);
  for (const file of await writeBaseline(REPOSITORY, names)) console.log(`baseline: ${file}`);
}

/** What is wrong with an author's schedules is told without a stack. */
function tellBadSchedules(error: unknown): void {
  if (!(error instanceof BadSchedules)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

if (import.meta.main) await main().catch(tellBadSchedules);
