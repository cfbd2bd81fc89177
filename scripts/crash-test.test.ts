/** Sixty real faults under five thousand jobs: nothing lost, nothing doubled, nothing stuck. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { URLS_OF_SERVICE } from "../shared/services/index.ts";

const CRASH_TEST = fileURLToPath(new URL("./crash-test.ts", import.meta.url));
const GIVEN = Object.values(URLS_OF_SERVICE).flat();

test("60 faults and 5,000 jobs", async () => {
  // Services of its own, since it kills them; those of the other tests must live.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !(GIVEN as string[]).includes(name)),
  );
  const child = spawn(process.execPath, [CRASH_TEST], {
    // One plan, so that a failure can be run again; other seeds are for `make crash-test`.
    env: { ...env, SEED: process.env.SEED || "42", FAULTS: "60", JOBS: "5000" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  // The whole story, with the seed to repeat it, where it failed.
  expect(code, output).toBe(0);
  expect(output.trimEnd().split("\n").at(-1)).toMatch(
    /^crash-test: faults=60 kinds=\d\d jobs=\d+ lost=0 double_effects=0 stuck=0 quarantined_wrongly=0 attempts_burned=0$/,
  );
}, 1_500_000);
