/** The linter's walls bite: each forbidden import, cycle and long function is found where it is forbidden, and nowhere else. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REPOSITORY } from "./repository.ts";

interface Wall {
  file: string;
  forbidden: string[];
  allowed: string[];
}

const WALLS: Wall[] = [
  {
    file: "workers/one/index.ts",
    forbidden: [
      "amqplib",
      "@cloudamqp/amqp-client",
      "pg",
      "pg/lib/client.js",
      "ioredis",
      "../two/index.ts",
      "../../shared/worker.ts",
      "../../scripts/operate/topology.ts",
      "@tl-engine/two",
      "@tl-engine/two/schemas",
      "@tl-engine/shared/stores/database",
      "@tl-engine/client",
      "@tl-engine/outbound/connect",
      "undici",
    ],
    allowed: [
      "zod",
      "@tl-engine/outbound",
      "./schemas.ts",
      "./charts/svg.ts",
      "@tl-engine/shared",
      "@tl-engine/shared/charts/svg",
    ],
  },
  {
    file: "workers/one/charts/svg.ts",
    forbidden: ["pg", "../../two/index.ts", "@tl-engine/two", "@tl-engine/shared/stores/database"],
    allowed: ["../schemas.ts", "./axes.ts", "@tl-engine/shared", "@tl-engine/shared/charts/scales"],
  },
  {
    file: "workers/one/store.test.ts",
    forbidden: ["pg", "amqplib", "../two/index.ts", "@tl-engine/two"],
    allowed: ["@tl-engine/shared/stores/database", "@tl-engine/shared/testing/conformance"],
  },
  {
    file: "shared/outbound/connect.ts",
    forbidden: ["../process/config.ts", "@tl-engine/shared"],
    allowed: ["undici", "ipaddr.js", "./errors.ts"],
  },
  {
    file: "shared/wire/headers.ts",
    forbidden: [
      "../process/config.ts",
      "@tl-engine/shared",
      "amqplib",
      "@cloudamqp/amqp-client",
      "pg",
    ],
    allowed: ["./names.ts", "node:fs"],
  },
  {
    file: "shared/broker/publish.ts",
    forbidden: [
      "../job/life.ts",
      "../worker.ts",
      "../client/link.ts",
      "../testing/fleet.ts",
      "bullmq",
      "undici",
    ],
    allowed: ["amqplib", "../wire/names.ts", "../process/config.ts", "./supervise.ts"],
  },
  {
    file: "shared/stores/database.ts",
    forbidden: ["../job/commit.ts", "../worker.ts", "../services/postgres.ts", "@tl-engine/one"],
    allowed: ["pg", "ioredis", "../process/log.ts"],
  },
  {
    file: "shared/job/claim.ts",
    forbidden: [
      "../workers/one/index.ts",
      "../scripts/operate/topology.ts",
      "@tl-engine/one",
      "@cloudamqp/amqp-client",
      "amqplib",
      "pg",
      "ioredis",
      "../worker.ts",
      "../client/claims.ts",
      "../testing/fleet.ts",
    ],
    allowed: ["../stores/redis.ts", "../broker/consume.ts", "../wire/claim-record.ts", "zod"],
  },
  {
    file: "shared/job/claim.test.ts",
    forbidden: ["../../workers/one/index.ts", "bullmq"],
    allowed: ["../testing/fleet.ts", "../worker.ts", "pg"],
  },
  {
    file: "shared/worker.ts",
    forbidden: ["../workers/one/index.ts", "../scripts/operate/topology.ts"],
    allowed: ["./job/life.ts", "./broker/consume.ts", "./stores/redis.ts"],
  },
  {
    file: "shared/testing/fleet.ts",
    forbidden: ["../../workers/one/index.ts", "@tl-engine/one"],
    allowed: ["../worker.ts", "amqplib"],
  },
  {
    file: "shared/client/link.ts",
    forbidden: ["../worker.ts", "../job/claim.ts", "amqplib", "@tl-engine/shared"],
    allowed: ["../wire/names.ts", "@cloudamqp/amqp-client", "pg", "ioredis"],
  },
  {
    file: "scripts/author/send.ts",
    forbidden: [
      "amqplib",
      "@cloudamqp/amqp-client",
      "pg",
      "ioredis",
      "bullmq",
      "../../workers/one/schemas.ts",
      "../../workers/one/charts/svg.ts",
      "@tl-engine/one/schemas",
    ],
    allowed: [
      "../../shared/broker/connection.ts",
      "../../workers/one/index.ts",
      "@tl-engine/shared/charts/svg",
      "@tl-engine/shared/broker/topology",
      "@tl-engine/client",
    ],
  },
  {
    file: "scripts/scaling/simulate.ts",
    forbidden: ["../cost/bill.ts", "pg", "../../workers/one/schemas.ts"],
    allowed: ["../kubernetes/read/prices.ts", "./simulate/report.ts"],
  },
  {
    file: "scripts/cost/cost.ts",
    forbidden: ["pg"],
    allowed: ["../scaling/simulate/simulate.ts", "../kubernetes/read/prices.ts"],
  },
  {
    file: "scripts/show/table.ts",
    forbidden: ["../cost/bill.ts", "pg"],
    allowed: ["./random.ts", "./terminal/paint.ts"],
  },
  {
    file: "scripts/bench/peers/naive.ts",
    forbidden: ["../../../workers/one/schemas.ts"],
    allowed: ["amqplib", "pg", "ioredis", "bullmq"],
  },
];

/** Every way to name another module. */
const source = (specifiers: string[]) =>
  specifiers
    .flatMap((specifier, i) => [
      `import type { A${i} } from "${specifier}";`,
      `export { b${i} } from "${specifier}";`,
      `export const c${i} = (): Promise<A${i}> => import("${specifier}");`,
    ])
    .join("\n");
const WAYS = 3;

/** A function with so many statements. */
const longFunction = (lines: number) =>
  `export function long(call: () => void) {\n${"  call();\n".repeat(lines)}}\n`;
const LIMIT = 70;

/** Files that the other rules find, or must not find. */
const OTHERS: Record<string, string> = {
  "shared/long.ts": longFunction(LIMIT + 1),
  "shared/short.ts": longFunction(LIMIT),
  "shared/long.test.ts": longFunction(LIMIT + 1),
  "scripts/cycle/one.ts":
    'import { two } from "./two.ts";\nexport const one = () => two();\nexport type One = 1;\n',
  "scripts/cycle/two.ts":
    'import { one } from "./one.ts";\nexport const two = (): unknown => one();\n',
  "scripts/types/one.ts":
    'import { two } from "./two.ts";\nexport const one = () => two();\nexport type One = 1;\n',
  "scripts/types/two.ts":
    'import type { One } from "./one.ts";\nexport const two = (): One => 1;\n',
};

interface Diagnostic {
  category: string;
  location: { path: string; start: { line: number } };
}

let folder: string;
let found: Diagnostic[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "import-walls-"));
  const config = JSON.parse(readFileSync(join(REPOSITORY, "biome.json"), "utf8"));
  // The copy is in no git repository.
  writeFileSync(join(folder, "biome.json"), JSON.stringify({ ...config, vcs: undefined }));
  const walls = WALLS.map(({ file, forbidden, allowed }) => [
    file,
    source([...forbidden, ...allowed]),
  ]);
  for (const [file = "", text = ""] of [...walls, ...Object.entries(OTHERS)]) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const { stdout } = spawnSync(
    join(REPOSITORY, "node_modules/.bin/biome"),
    ["lint", "--colors=off", "--reporter=json", "--max-diagnostics=none", "."],
    { cwd: folder, encoding: "utf8" },
  );
  found = (JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(WALLS)("$file", ({ file, forbidden, allowed }) => {
  test("may not import beyond its wall, in whatever way", () => {
    const hits = found
      .filter(
        ({ category, location }) =>
          category === "lint/style/noRestrictedImports" && location.path.endsWith(file),
      )
      .map(
        ({ location }) => [...forbidden, ...allowed][Math.floor((location.start.line - 1) / WAYS)],
      );
    expect(hits.sort()).toEqual(forbidden.flatMap((name) => Array(WAYS).fill(name)).sort());
  });
});

const filesWith = (rule: string) =>
  found
    .filter(({ category }) => category === `lint/${rule}`)
    .map(({ location }) => location.path)
    .filter((path) => path in OTHERS)
    .sort();

test("a function of more than 70 lines is refused, except in tests", () => {
  expect(filesWith("complexity/noExcessiveLinesPerFunction")).toEqual(["shared/long.ts"]);
});

test("modules that import each other are refused, unless it is for a type", () => {
  expect(filesWith("suspicious/noImportCycles")).toEqual([
    "scripts/cycle/one.ts",
    "scripts/cycle/two.ts",
  ]);
});
