/** `make simulate` as it is called: its files, its last line, its exit status. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REPOSITORY } from "../repository.ts";

function run(env: NodeJS.ProcessEnv) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["scripts/scaling/simulate.ts"], {
    cwd: REPOSITORY,
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
  });
  return { stdout, stderr, status };
}

test("a burst through the repository's own ScaledObjects", () => {
  const { stdout, stderr, status } = run({ LOAD: "burst", ENGINE: "activities", JOBS: "20000" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^simulate: jobs=\d+ done=\d+ late=\d+ /);
  expect(readFileSync(`${REPOSITORY}out/simulate/simulate.svg`, "utf8")).toContain(">activities<");
});

test("JSON=1 leaves standard output to the result", () => {
  const { stdout, stderr } = run({ LOAD: "burst", JOBS: "20000", JSON: "1", SUGGEST: "1" });
  const result = JSON.parse(stdout);
  expect(result.engines.map(({ engine }: { engine: string }) => engine)).toContain("analytics");
  expect(result.suggestions[0].now.parameters.value).toBeGreaterThan(0);
  expect(stderr.trimEnd().split("\n").at(-1)).toMatch(/^simulate: /);
});

test("what it can't use ends with status 2 and one line", () => {
  const { stdout, stderr, status } = run({ ENGINE: "mail" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^ENGINE: "mail" is no engine; there are activities, [^\n]*\n$/);
});
