/** The process of a worker, before there is anything to drain. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

test("SIGTERM while it still imports ends it well: a container's first process hears no other way", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "tl-")), "index.mjs");
  await writeFile(
    file,
    'console.log("importing"); await new Promise((r) => setTimeout(r, 60_000));',
  );
  const child = spawn(process.execPath, [MAIN, file], {
    env: {
      ...process.env,
      AMQP_URL: "amqp://127.0.0.1:1",
      DATABASE_URL: "postgres://127.0.0.1:1/enginedb",
      REDIS_URL: "redis://127.0.0.1:1",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
