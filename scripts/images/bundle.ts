/**
 * Puts workers into a few JavaScript files: a start then reads ten files instead of four hundred, which
 * takes a quarter of its time. Inside of an image's build:
 *
 * `bundle.ts workers/<name>/index.ts` writes `shared/main.js` and
 * `workers/<name>/index.js`, each with its source map, beside the sources.
 */
import { cpSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

const MAIN = "shared/main.ts";

/** What finds its Lua or SQL by its own place, and so stays in a file of its own, there. */
const BESIDE_THEIR_FILES = ["shared/wire/claim-scripts.ts", "shared/stores/migrate.ts"];

/** All files that are bundled for every worker, from the root. */
export const BUNDLED = [MAIN, ...BESIDE_THEIR_FILES];

/**
 * How Node runs a bundle. A start allocates some 30 MB that stay: copying them out of a new space that
 * begins with 1 MB would be work for nothing. Under load every collection copies what is in flight, so
 * half as many copy half as much; 64 MB and more took more of the CPU again, measured.
 */
export const NODE_FLAGS = ["--min-semi-space-size=32", "--max-semi-space-size=32"];

/** The file that an entry is bundled into, both from the root. */
export const bundleOf = (entry: string) => entry.replace(/\.ts$/, ".js");

/**
 * Bundles shared/main.ts and the workers with it, laid out as their sources are.
 * @param root the repository, or what of it is in an image.
 * @param workers their entries, such as `workers/activities/index.ts`, from the root.
 * @param folder where the files go, with the Lua and SQL that the code reads; the root itself has them.
 */
export async function bundleWorkers(
  root: string,
  workers: string[],
  folder: string,
): Promise<void> {
  const entries = [MAIN, ...workers];
  const bundle = await rolldown({
    cwd: root,
    platform: "node",
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.ts$/, ""), entry])),
    external: externalTo(root, workers),
    plugins: [filesStayBeside(root), quickCommands],
    // An optional native driver of pg's, which nobody installs.
    onLog: (level, log, report) => {
      if (log.code !== "UNRESOLVED_IMPORT") report(level, log);
    },
  });
  await bundle.write({
    dir: folder,
    entryFileNames: "[name].js",
    chunkFileNames: "shared/[name].js",
    codeSplitting: {
      groups: BESIDE_THEIR_FILES.map((file) => ({
        name: file.slice("shared/".length, -".ts".length),
        test: (id: string) => id.endsWith(`/${file}`),
      })),
    },
    // No names change, so a stack says who called whom; its lines are found by the source map.
    minify: { compress: false, mangle: false, codegen: true },
    sourcemap: true,
    sourcemapExcludeSources: true,
  });
  await bundle.close();
  if (resolve(folder) === resolve(root)) return;
  for (const from of [...BUNDLED, ...workers].map(dirname))
    for (const file of globSync(`${from}/{*.lua,migrations/*.sql}`, { cwd: root }))
      cpSync(join(root, file), join(folder, file));
}

/** What workers import of ours; an engine without the guard imports no outbound, and so has none of it. */
const OURS = { "@tl-engine/shared": "shared", "@tl-engine/outbound": "shared/outbound" };

/**
 * The libraries' packages are known to bear bundling. What a worker brings itself may have native parts,
 * or files that it reads: that stays in node_modules.
 */
function externalTo(root: string, workers: string[]) {
  const packages = Object.values(OURS).flatMap((folder) => {
    const { dependencies } = JSON.parse(
      readFileSync(join(root, folder, "package.json"), "utf8"),
    ) as { dependencies: Record<string, string> };
    return Object.keys(dependencies);
  });
  const bundled = [...Object.keys(OURS), ...packages];
  const folders = workers.map((entry) => `${resolve(root, dirname(entry))}/`);
  return (specifier: string, from: string | undefined) =>
    from !== undefined &&
    folders.some((folder) => from.startsWith(folder)) &&
    /^[^./]/.test(specifier) &&
    !bundled.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

/** Stops when code that finds a file by its own place comes to lie in another folder. */
function filesStayBeside(root: string): Plugin {
  return {
    name: "files-stay-beside",
    renderChunk(_, chunk) {
      for (const id of chunk.moduleIds) {
        if (!id.startsWith(root) || id.includes("/node_modules/")) continue;
        if (!readFileSync(id, "utf8").includes("import.meta.url")) continue;
        const file = id.slice(root.length).replace(/^\//, "");
        if (dirname(file) !== dirname(chunk.fileName))
          this.error(
            `${file} uses import.meta.url and is bundled into ${chunk.fileName}: read the file from the worker's index.ts and hand it on`,
          );
      }
      return null;
    },
  };
}

/** Not the last one that was added: V8 would only take a step back. */
const LOSE_ONE =
  "Commander.prototype.one = 1; Commander.prototype.two = 2; delete Commander.prototype.one; delete Commander.prototype.two;";
const ADD_COMMANDS = "commands.forEach(function (commandName) {";

/**
 * ioredis gives its class a thousand methods one by one, and V8 copies the shape of a small object each
 * time: 15 ms of a start. An object that lost a property is kept as a hash table, which just grows.
 */
const quickCommands: Plugin = {
  name: "quick-commands",
  transform: {
    filter: { id: /\/ioredis\/built\/utils\/Commander\.js$/ },
    handler(code) {
      if (!code.includes(ADD_COMMANDS))
        this.error(
          `ioredis no longer says ${ADD_COMMANDS}: see whether it still adds them one by one`,
        );
      // All on one line: the source map stays true.
      return { code: code.replace(ADD_COMMANDS, `${LOSE_ONE} ${ADD_COMMANDS}`), map: null };
    },
  },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await bundleWorkers(process.cwd(), process.argv.slice(2), process.cwd());
