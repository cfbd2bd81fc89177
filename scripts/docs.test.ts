/** Keeps the README and the handbook true: links, commands, variables, files, metrics and the example engine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type { Action, WorkerDefinition } from "../shared/engine/define-worker.ts";
import { Environment } from "../shared/process/config.ts";
import { FROM_FILES } from "../shared/process/secret-files.ts";
import { runAction } from "../shared/testing/test-job.ts";
import { ERROR_CODES } from "../shared/wire/error-codes.ts";
import { SPAN } from "./proof/demo/figures.ts";
import { generateHistory } from "./proof/demo/generator.ts";
import { recordHere } from "./proof/demo/pass-without-fleet.ts";
import { planJobs } from "./proof/demo/plan.ts";
import { expectTold } from "./proof/demo/telling.ts";
import { REPOSITORY } from "./repository.ts";
import { loadWorkers, ownVariables } from "./workers.ts";

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");

/** Files under a folder, as paths from the repository's root. */
const filesUnder = (folder: string, ending: string) =>
  readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending) && !path.includes("node_modules"))
    .map((path) => join(folder, path));

const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...filesUnder("docs", ".md")];

const allOf = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map((match) => match[1] as string);

/** Blocks and spans of code: what a reader may copy. */
const codeOf = (text: string) =>
  [...text.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g)].map((match) => match[1] ?? match[2]);

const withoutCode = (text: string) =>
  text.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`\n]*`/g, "");

/** As GitHub makes anchors of headings. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");

function brokenLinks(page: string): string[] {
  const targets = allOf(withoutCode(read(page)), /\]\(([^)\s]+)\)/g);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : relative(REPOSITORY, join(REPOSITORY, dirname(page), path));
    if (!existsSync(join(REPOSITORY, file))) return true;
    if (anchor === undefined) return false;
    return !allOf(read(file), /^#+ (.+)$/gm)
      .map(anchorOf)
      .includes(anchor);
  });
}

const makefile = read("Makefile");
const makeTargets = new Set(allOf(makefile, /^([a-z][a-z-]*):/gm));

/** The targets of `make a b NAME=x` wherever code says it. */
const namedTargets = (page: string) =>
  codeOf(read(page)).flatMap((code = "") =>
    allOf(code, /(?:^|[\s(])make((?:[ \t]+[\w./=*-]+)+)/gm)
      .flatMap((words) => words.trim().split(/\s+/))
      .filter((word) => /^[a-z][a-z-]*$/.test(word)),
  );

/** What `make` hands on to the scripts. */
const exported = allOf(makefile, /^export ([A-Z_ ]+)$/gm).flatMap((names) => names.split(" "));

/** Variables of the schema, of the Makefile, and of the scripts and test set-up that read their own. */
function knownVariables(): Set<string> {
  const sources = ["scripts", "shared", "docs/examples"]
    .flatMap((folder) => filesUnder(folder, ".ts"))
    .filter((path) => !path.endsWith(".test.ts"))
    .map(read)
    .join("\n");
  return new Set([
    ...Object.keys(Environment.shape),
    ...["NODE_COMPILE_CACHE", "NODE_OPTIONS"], // Node's own
    ...allOf(read(".env.example"), /^#?([A-Z][A-Z0-9_]*)=/gm),
    ...FROM_FILES.map((name) => `${name}_FILE`),
    ...allOf(makefile, /\$\(([A-Z]+)\)/g),
    ...exported,
    ...allOf(sources, /\benv\.([A-Z][A-Z0-9_]*)/g),
    ...allOf(sources, /\b(?:whole|wholeNumber|positive)\((?:env, )?"([A-Z_]+)"/g),
    ...allOf(sources, /const \{ ([^}]*) \} = process\.env/g).flatMap((list) =>
      allOf(list, /\b([A-Z_]{2,})\b/g),
    ),
  ]);
}

/** Variables that a page names: in code with an underscore, or given a value. */
const namedVariables = (page: string) =>
  codeOf(read(page)).flatMap((code = "") => [
    ...allOf(code, /(?<![\w.{"-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w"-])/g),
    ...allOf(code, /(?<![\w.{"-])([A-Z][A-Z0-9_]+)=/g),
  ]);

describe.each(PAGES)("%s", (page) => {
  test("its links lead somewhere", () => {
    expect(brokenLinks(page)).toEqual([]);
  });

  test("its make targets exist", () => {
    expect(namedTargets(page).filter((target) => !makeTargets.has(target))).toEqual([]);
  });

  test("its variables exist", () => {
    const known = knownVariables();
    expect(namedVariables(page).filter((name) => !known.has(name))).toEqual([]);
  });

  test("the files of shared/ and scripts/ that it names exist", () => {
    const named = allOf(read(page), /(?<![\w/])((?:shared|scripts)\/[\w./-]+\.(?:ts|lua|sql|sh))/g);
    expect(named.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });
});

test("what the named make targets run is there", () => {
  const run = allOf(makefile, /\b((?:scripts|shared)\/[\w/-]+\.(?:ts|sh))/g);
  // A script that is only run where it exists says so itself.
  const optional = allOf(makefile, /\[ -e ([\w./-]+) \]/g);
  const missing = run.filter(
    (path) => !existsSync(join(REPOSITORY, path)) && !optional.includes(path),
  );
  expect(missing).toEqual([]);
});

/** First cells of a page's tables. */
const firstCells = (page: string) => allOf(read(page), /^\| `([^`|]+)`/gm);

test("every variable of the schemas has its line in the handbook", async () => {
  const told = firstCells("docs/infra/configuracion.md");
  const own = ownVariables((await loadWorkers()).map(({ definition }) => definition));
  const names = [...Object.keys(Environment.shape), ...Object.keys(own)];
  expect(names.filter((name) => !told.includes(name))).toEqual([]);
});

/** Scripts that `make` runs, and where they read what they are told. */
const commands = [...new Set(allOf(makefile, /\b(scripts\/[\w/-]+\.ts)/g))];
const readersOfVariables = [
  ...commands,
  ...filesUnder("scripts", "/options.ts"),
  "scripts/operate/dead-letters/selection.ts",
];
/** Other programs', and what tests of the scripts themselves set. */
const NOT_OURS = ["PATH", "NPM_CONFIG_USERCONFIG", "NODE_EXTRA_CA_CERTS", "SELFCHECK_HUNTER"];

/** Variables that a script reads beside the workers' own. */
const readBy = (source: string) =>
  [
    ...allOf(source, /\benv\.([A-Z][A-Z0-9_]*)/g),
    ...allOf(source, /\b(?:whole|wholeNumber|positive)\((?:env, )?"([A-Z_]+)"/g),
    ...allOf(source, /\{ ([^{}]*) \}(?: = process\.env|: Given)/g).flatMap((list) =>
      allOf(list, /\b([A-Z][A-Z_]+)\b/g),
    ),
  ].filter((name) => !Object.hasOwn(Environment.shape, name) && !NOT_OURS.includes(name));

test("every variable that a command takes has its line in the handbook", () => {
  const table = read("docs/infra/configuracion.md").split("## De las herramientas")[1] ?? "";
  const told = allOf(table, /^\| (`[^|]*) \|/gm).flatMap((cell) => allOf(cell, /`([A-Z_]+)`/g));
  const taken = [
    ...exported,
    ...allOf(makefile, /^[a-z-]+:.*## (.*)$/gm).flatMap((help) => allOf(help, /\b([A-Z_]+)=/g)),
    ...readersOfVariables.map(read).flatMap(readBy),
  ];
  expect(taken.length).toBeGreaterThan(30);
  expect([...new Set(taken)].filter((name) => !told.includes(name))).toEqual([]);
});

test("a command is told as make runs it: the system's Node may be too old for it", () => {
  const byHand = /\b(?:node(?: --\S+)* (?:scripts|shared|workers)\/|npx )/;
  const told = PAGES.flatMap((page) => codeOf(read(page)).filter((code = "") => byHand.test(code)));
  expect(told).toEqual([]);
  const said = [...filesUnder("scripts", ".ts"), ...filesUnder("shared", ".ts")]
    .filter((path) => !path.endsWith(".test.ts"))
    .filter((path) => byHand.test(read(path)));
  expect(said).toEqual([]);
});

test("no command says that there is no .env", () => {
  const script = "scripts/author/services.ts";
  const args = [script, "with", "--", process.execPath, "-e", "console.log(process.env.AMQP_URL)"];
  expect(makefile).not.toContain("--env-file");
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: REPOSITORY,
    env: { ...process.env, AMQP_URL: "amqp://given/" },
    encoding: "utf8",
  });
  expect([stdout, stderr]).toEqual(["amqp://given/\n", ""]);
});

/** A script's last line, wherever code shows one: `demo: jobs=…`. */
const figureLines = (page: string) =>
  codeOf(read(page)).flatMap((code = "") => allOf(code, /^([a-z-]+: [a-z_]+=.*)$/gm));

test("a script's line of figures has names that scripts print", () => {
  const sources = filesUnder("scripts", ".ts")
    .filter((path) => !path.endsWith(".test.ts"))
    .map(read)
    .join("\n");
  const lines = PAGES.flatMap(figureLines);
  expect(lines.length).toBeGreaterThan(2);
  const unknown = lines.flatMap((line) => {
    const [name = "", rest = ""] = line.split(": ", 2);
    if (!sources.includes(`\`${name}: `)) return [line];
    const names = allOf(rest, /(?:^| )([a-z_]+)=/g);
    return names.filter((it) => !new RegExp(`\\b${it}(?:=\\$\\{|:|,| \\}|"\\])`).test(sources));
  });
  expect(unknown).toEqual([]);
});

test("the figures of the README's demo are those of its plan", () => {
  const line = figureLines("README.md").find((text) => text.startsWith("demo: "));
  const { seed, runId } = { seed: "tiendaleon", runId: "docs" };
  const history = generateHistory({ seed, months: SPAN.months });
  const plan = planJobs(history, { runId, seed, comments: true });
  const { jobs } = plan;
  const events = jobs.filter(({ id, input }) => recordHere(input, id).activities.length > 0);
  const each = `results=${jobs.length} replies=${jobs.length} events=${events.length}`;
  expect(line).toBe(`demo: jobs=${jobs.length} ${each} lost=0 doubled=0 different=0 seconds=…`);
  const outputs = new Map(jobs.map(({ id, input }) => [id, recordHere(input, id)] as const));
  const { inApp, fired, breached, swept } = expectTold(plan, outputs);
  const told = `rules_fired=${fired.size} breaches=${breached.size} swept=${swept.size}`;
  // How many windows there are depends on when the demo is run.
  expect(figureLines("README.md")).toContain(`told: notifications=${inApp.size} mails=6 ${told}`);
  expect(read("scripts/proof/demo.ts")).toContain(`DEFAULT_SEED = "${seed}"`);
});

test("the handbook's metrics are those of the code", () => {
  const told = firstCells("docs/infra/integraciones/monitoreo.md").filter((name) =>
    name.startsWith("engine_"),
  );
  const made = ["shared/process/metrics.ts", ...filesUnder("workers", "/metrics.ts")].flatMap(
    (path) => allOf(read(path), /"(engine_[a-z_]+)"/g),
  );
  expect(told.toSorted()).toEqual(made.toSorted());
});

test("error codes in the README and the pages on faults are on the wire's list", () => {
  const codes = Object.keys(ERROR_CODES);
  const outcomes = ["succeeded", "failed"];
  const text = read("docs/infra/fallos.md").split("## Trabajos")[1]?.split("##")[0] ?? "";
  const named = allOf(text, /`([a-z]+(?:_[a-z]+)+)`/g).filter((name) => name !== "reply_to");
  expect(named.filter((name) => ![...codes, ...outcomes].includes(name))).toEqual([]);
});

test("CONTRIBUTING gives the reason for each dependency, and for nothing else", () => {
  const manifests = [
    "package.json",
    "shared/package.json",
    "shared/client/package.json",
    "shared/outbound/package.json",
    ...filesUnder("workers", "package.json"),
  ];
  const installed = manifests.flatMap((path) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(path));
    return Object.keys({ ...dependencies, ...devDependencies });
  });
  const wanted = new Set(installed.filter((name) => !name.startsWith("@tl-engine/")));
  const table = read("CONTRIBUTING.md").split("## Dependencies")[1] ?? "";
  const told = allOf(table, /^\| (`[^|]+`) \|/gm).flatMap((cell) => allOf(cell, /`([^`]+)`/g));
  expect(told.toSorted()).toEqual([...wanted].toSorted());
});

test("the README's engine is one, in 30 lines, and does what it says", async () => {
  const code = allOf(read("README.md"), /```ts\n([\s\S]*?)```/g).find((text) =>
    text.includes("defineWorker({"),
  );
  expect(code?.trimEnd().split("\n").length).toBeLessThanOrEqual(30);
  // Inside of the repository, so that its imports resolve, and in a folder that git ignores.
  const folder = join(REPOSITORY, "out/docs-test");
  const file = join(folder, "mentions.ts");
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(file, code ?? "");
    const { default: engine } = (await import(pathToFileURL(file).href)) as {
      default: WorkerDefinition;
    };
    const input = { itemId: "WEB-7", text: "@ana and @luis, see @ana" };
    const { output, job } = await runAction(engine.actions.find as Action, input);
    expect(output).toEqual({ users: ["ana", "luis"] });
    expect(job.emitted).toEqual([
      { type: "mentions.found", data: { itemId: "WEB-7", users: ["ana", "luis"] } },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what a replica does is the same number wherever it stands", () => {
  const page = read("docs/meta/rendimiento.md");
  const told = [
    ...page.matchAll(/^\| `([a-z-]+)`, por toda la flota \|.*réplica hace ([\d.]+) trabajos/gm),
  ].map(([, engine, rate = ""]) => [engine, Number(rate.replaceAll(".", ""))]);
  const annotated = filesUnder("keda", ".yaml").flatMap((file) => {
    const [rate] = allOf(read(file), /tl-engine\/jobs-per-second-per-replica: "(\d+)"/g);
    return rate === undefined ? [] : [[/([a-z-]+)\.yaml$/.exec(file)?.[1], Number(rate)]];
  });
  expect(told.toSorted()).toEqual(annotated.toSorted());
});
