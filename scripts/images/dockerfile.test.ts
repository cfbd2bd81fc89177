/** What the Dockerfile promises, and what it puts into each image, without a Docker. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";
import { NODE_FLAGS } from "./bundle.ts";
import { ignoreRules, parseDockerfile, sourceFilesOf } from "./dockerfile.ts";
import { TOOLS } from "./image-set.ts";

const { args, stages } = parseDockerfile(readFileSync(`${REPOSITORY}Dockerfile`, "utf8"));
const stage = (name: string) => {
  const found = stages.find(({ as }) => as === name);
  if (!found) throw new Error(`no stage ${name}`);
  return found;
};
const textsOf = (name: string, instruction: string) =>
  stage(name)
    .instructions.filter((it) => it.name === instruction)
    .map(({ text }) => text);

describe("the Dockerfile", () => {
  test("takes one thing from outside, pinned to a patch release and its digest, of the Node that the repository asks for", () => {
    const names = new Set(stages.map(({ as }) => as));
    const kinds = ["engine", "tools"].map((kind) =>
      stages.map(({ from }) => from.replace(`\${KIND}`, kind)),
    );
    const outside = new Set(kinds.flat().filter((from) => from !== "scratch" && !names.has(from)));
    expect([...outside]).toEqual([
      expect.stringMatching(/^node:\d+\.\d+\.\d+-[a-z]+-slim@sha256:[0-9a-f]{64}$/),
    ]);
    const wanted = readFileSync(`${REPOSITORY}.node-version`, "utf8").trim();
    expect([...outside][0]).toContain(`node:${wanted}.`);
    expect(args.map(({ text }) => text)).toEqual(["KIND=engine"]);
  });

  test("what runs is made from nothing, by number no root, with Node itself as process 1", () => {
    expect(stage("image").from).toBe("scratch");
    expect(textsOf("image", "USER")).toEqual(["65532:65532"]);
    expect(textsOf("image", "ENTRYPOINT")).toEqual(['["/usr/local/bin/node"]']);
    expect(textsOf("image", "RUN")).toEqual([]);
    for (const kind of ["engine", "tools"]) {
      expect(stage(kind).from).toBe("image");
      expect(stage(kind).instructions.map(({ name }) => name)).not.toContain("USER");
    }
  });

  test("the compile cache is made by the user and under the path that will read it", () => {
    const users = textsOf("built", "USER");
    expect(users[0]).toBe(textsOf("image", "USER")[0]);
    const [made] = textsOf("built", "ENV");
    expect(made).toMatch(/^NODE_COMPILE_CACHE=/);
    expect(textsOf("image", "ENV")[0]).toContain(made);
  });

  test("an engine's image runs its bundle", () => {
    const [command = ""] = textsOf("engine", "CMD");
    expect(JSON.parse(command)).toEqual([...NODE_FLAGS, "shared/main.js", "engine/index.js"]);
  });

  test("says what is missing from it by line", () => {
    const { stages: read } = parseDockerfile(
      "# c\nFROM a:1 AS x\nRUN one && \\\n # two\n  three\nUSER 1\n",
    );
    expect(read).toEqual([
      {
        from: "a:1",
        as: "x",
        line: 2,
        instructions: [
          { line: 3, name: "RUN", text: "one && three" },
          { line: 6, name: "USER", text: "1" },
        ],
      },
    ]);
  });
});

test.each([
  ["a/b.ts", ["*", "!a"], true],
  ["b.ts", ["*", "!a"], false],
  ["a/x/b.test.ts", ["*", "!a", "**/*.test.ts"], false],
  ["b.test.ts", ["**/*.test.ts"], false],
  ["a/testing/b.ts", ["a/testing"], false],
  ["a/testing/b.ts", ["a/testing", "!a/testing/b.ts"], true],
  ["a/node_modules/b/c.js", ["# a comment", "", "**/node_modules"], false],
])(".dockerignore: %s with %j: kept is %s", (path, rules, kept) => {
  expect(ignoreRules(rules.join("\n"))(path)).toBe(kept);
});

/** The repository's modules that an entry reaches, itself included: static and dynamic imports of own files. */
function reachedFrom(entries: string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string) => {
    if (reached.has(file)) return;
    reached.add(file);
    const source = readFileSync(REPOSITORY + file, "utf8");
    for (const [statement, statically, dynamically] of source.matchAll(
      /^(?:import|export|\} from)\b[^;]*?["']([^"']+)["'];$|\bimport\("([^"]+)"\)/gm,
    )) {
      const name = statically ?? dynamically ?? "";
      if (/^(import|export) type\b/.test(statement)) continue;
      const target = name.startsWith("@tl-engine/shared")
        ? name === "@tl-engine/shared"
          ? "shared/index.ts"
          : `${name.replace("@tl-engine/", "")}.ts`
        : name.startsWith(".")
          ? join(dirname(file), name)
          : undefined;
      if (target) visit(target);
    }
  };
  entries.forEach(visit);
  return reached;
}

describe.each([...(await workerFolders()), TOOLS])("the image of %s", (name) => {
  const files = sourceFilesOf(name);
  const workers = (files.join("\n").match(/^workers\/[^/]+/gm) ?? []).filter(
    (it, n, all) => all.indexOf(it) === n,
  );

  test("holds the files that its entries reach", async () => {
    const entries =
      name === TOOLS
        ? ["scripts/operate/topology.ts", "scripts/operate/migrate.ts"]
        : ["shared/main.ts"];
    const reached = reachedFrom([...entries, ...workers.map((worker) => `${worker}/index.ts`)]);
    expect([...reached].filter((path) => !files.includes(path))).toEqual([]);
    expect(reached.size).toBeGreaterThan(10);
    // Code is no use without the SQL and Lua beside it.
    expect(files).toEqual(
      expect.arrayContaining(["shared/wire/claim.lua", "shared/stores/migrations/001_results.sql"]),
    );
    for (const worker of workers)
      if (existsSync(`${REPOSITORY}${worker}/migrations`))
        expect(files.filter((path) => path.startsWith(`${worker}/migrations/`))).not.toEqual([]);
  });

  test("holds no other worker, no test, nothing of a benchmark, no caller's library", async () => {
    const own = name === TOOLS ? await workerFolders() : [name];
    expect(workers.toSorted()).toEqual(own.map((worker) => `workers/${worker}`));
    expect(
      files.filter((path) =>
        /\.(test|bench|fixture)\.|testing|services|node_modules|\.env/.test(path),
      ),
    ).toEqual([]);
    expect(files.filter((path) => path.startsWith("shared/client/"))).toEqual([]);
    expect(files.filter((path) => path.startsWith("scripts/"))).toHaveLength(
      name === TOOLS ? 7 : 0,
    );
  });
});
