/** A bundled worker on the real services, and what the bundler leaves alone or refuses. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join, relative } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { WorkerDefinition } from "../../shared/engine/define-worker.ts";
import type { Outbound } from "../../shared/outbound/index.ts";
import { openTestFleet } from "../../shared/testing/fleet.ts";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";
import { bundleOf, bundleWorkers, NODE_FLAGS } from "./bundle.ts";

/** A worker of its own in a folder that git ignores, where the repository's packages are found. */
function writeWorker(files: Record<string, string>): { folder: string; entry: string } {
  mkdirSync(join(REPOSITORY, "out"), { recursive: true });
  const folder = mkdtempSync(join(REPOSITORY, "out/bundle-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), source);
  }
  return { folder, entry: relative(REPOSITORY, join(folder, "bundled/index.ts")) };
}

const WORKER = `
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
import { fail } from "./deep/fail.ts";

export default defineWorker({
  name: "bundled",
  concurrency: 10,
  timeoutMs: 5_000,
  maxAttempts: 1,
  actions: {
    double: action({
      version: 1,
      input: z.object({ n: z.int() }),
      output: z.object({ n: z.int() }),
      handle: ({ n }) => ({ n: n < 0 ? fail() : 2 * n }),
    }),
  },
});
`;
const FAIL =
  "// The line below is the third.\n\nexport const fail = (): number => { throw new Error('no'); };\n";

test("it works, names lines of the sources in its log, and drains", async () => {
  const { folder, entry } = writeWorker({
    "bundled/index.ts": WORKER,
    "bundled/deep/fail.ts": FAIL,
    "bundled/migrations/001_none.sql": "select 1;",
  });
  const bundles = join(folder, "bundles");
  await bundleWorkers(REPOSITORY, [entry], bundles);
  const script = join(bundles, bundleOf(entry));
  expect(readFileSync(join(dirname(script), "migrations/001_none.sql"), "utf8")).toBe("select 1;");
  rmSync(join(dirname(script), "migrations"), { recursive: true });

  const definition = (
    (await import(pathToFileURL(join(REPOSITORY, entry)).href)) as {
      default: WorkerDefinition;
    }
  ).default;
  const fleet = await openTestFleet([definition]);
  const worker = spawn(process.execPath, [...NODE_FLAGS, join(bundles, "shared/main.js"), script], {
    env: { ...process.env, ENGINE_PREFIX: fleet.config.ENGINE_PREFIX, HEALTH_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(worker, "exit");
  const log = text(worker.stdout);
  try {
    const good = await fleet.publish("bundled", "double", { n: 21 });
    const bad = await fleet.publish("bundled", "double", { n: -1 });
    expect((await fleet.reply(good)).reply).toEqual({ status: "succeeded", output: { n: 42 } });
    expect((await fleet.reply(bad)).reply).toMatchObject({ status: "failed" });
  } finally {
    worker.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    await fleet.close();
  }
  const failed = (await log)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .find(({ msg }) => msg === "the last attempt failed");
  expect(failed.err.stack).toMatch(/at fail \(\S+bundled\/deep\/fail\.ts:3:\d+\)/);
  expect(failed.err.stack).toMatch(/at handle \(\S+shared\/job\/handle\.ts:\d+:\d+\)/);
});

test.each(await workerFolders())("the worker %s can be bundled", async (name) => {
  const { folder } = writeWorker({});
  await bundleWorkers(REPOSITORY, [`workers/${name}/index.ts`], folder);
  const bundle = join(folder, `workers/${name}/index.js`);
  const { default: definition } = (await import(pathToFileURL(bundle).href)) as {
    default: WorkerDefinition;
  };
  expect(definition.name).toBe(name);
});

test("who imports the guard has it in the bundle, where it works, and nobody else does", async () => {
  const { folder, entry } = writeWorker({
    "bundled/index.ts":
      'import { createOutbound } from "@tl-engine/outbound";\nexport default createOutbound({ allow: ["127.0.0.1:*"] });\n',
  });
  const bundles = join(folder, "bundles");
  await bundleWorkers(REPOSITORY, [entry, "workers/activities/index.ts"], bundles);
  const read = (path: string) => readFileSync(join(bundles, path), "utf8");
  const hasUndici = (code: string) => /UND_ERR/.test(code);
  expect(hasUndici(read(bundleOf(entry)))).toBe(true);
  const others = globSync("{shared,workers}/**/*.js", { cwd: bundles });
  expect(others).toContain("shared/main.js");
  expect(others.filter((path) => hasUndici(read(path)))).toEqual([]);

  const { default: outbound } = (await import(
    pathToFileURL(join(bundles, bundleOf(entry))).href
  )) as { default: Outbound };
  const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const response = await outbound.request({ url: `http://127.0.0.1:${port}/` });
  expect((await response.bytes()).toString()).toBe("hello");
  const refused = outbound.request({ url: `http://127.0.0.2:${port}/` });
  await expect(refused).rejects.toMatchObject({ code: "blocked_address" });
  await outbound.close();
  server.close();
});

test("a worker's own packages stay outside, the library's do not", async () => {
  const { folder, entry } = writeWorker({
    "bundled/index.ts":
      'import { z } from "zod";\nimport native from "some-native-package";\nexport default [z, native];\n',
  });
  await bundleWorkers(REPOSITORY, [entry], join(folder, "bundles"));
  const code = readFileSync(join(folder, "bundles", bundleOf(entry)), "utf8");
  const imported = [...code.matchAll(/from\s*["'`]([^"'`]+)/g)].map(([, from]) => from);
  expect(imported).toContain("some-native-package");
  expect(imported.filter((from) => !from?.startsWith("."))).toEqual(["some-native-package"]);
});

test("code that finds a file by its own place and would lose it is refused", async () => {
  const { folder, entry } = writeWorker({
    "bundled/index.ts": 'export { default } from "./deep/chart.ts";\n',
    "bundled/deep/chart.ts": 'export default new URL("./font.ttf", import.meta.url);\n',
  });
  await expect(bundleWorkers(REPOSITORY, [entry], join(folder, "bundles"))).rejects.toThrow(
    /bundled\/deep\/chart\.ts uses import\.meta\.url .* hand it on/,
  );
});
