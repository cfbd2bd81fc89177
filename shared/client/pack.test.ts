/** The packed client in an empty project: it installs, its types hold, and it runs. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "../services/ready.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const TSC = join(FOLDER, "../../node_modules/.bin/tsc");
const run = promisify(execFile);
let project: string;
let files: string[];

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "caller-"));
  const pack = ["pack", "--json", "--pack-destination", project];
  const { stdout } = await run("npm", pack, { cwd: FOLDER });
  files = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
  const { version } = JSON.parse(await readFile(join(FOLDER, "package.json"), "utf8"));
  const manifest = { name: "caller", private: true, type: "module" };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest));
  const tarball = `./tl-engine-client-${version}.tgz`;
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...quiet, tarball, "@types/node@24"], { cwd: project });
}, 180_000);

afterAll(() => rm(project, { recursive: true, force: true }));

const program = (input: string) => `
import { BrokerUnavailable, connect } from "@tl-engine/client";
try {
  const client = await connect({ amqpUrl: String(process.argv[2]) });
  const output = await client.call("activities", "record", ${input});
  const first: string | null | undefined = output.activities[0]?.newValue;
  await client.events("activity.recorded", (event) => console.log(event.body.issueId, first));
} catch (error) {
  if (!(error instanceof BrokerUnavailable)) throw error;
  console.log(error.code);
}
`;

async function typeErrors(file: string): Promise<string> {
  const strict = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext"];
  const args = [...strict, "--types", "node", "--skipLibCheck", "false", file];
  return run(TSC, args, { cwd: project }).then(
    () => "",
    (error) => error.stdout,
  );
}

const RIGHT = `{ type: "issue.activity.updated", projectId: "p", actorId: "u", epoch: 1, issueId: "i" }`;

test("it holds the compiled client and what callers share with workers, and no tests", () => {
  const ours = /^dist\/(client|wire)\/[a-z-]+\.(js|d\.ts)$/;
  const others = files.filter((path) => !ours.test(path)).sort();
  expect(others).toEqual(["LICENSE", "README.md", "package.json"]);
  expect(files).toContain("dist/client/index.js");
  expect(files.filter((path) => path.includes("test"))).toEqual([]);
});

test("a right payload passes tsc, a wrong one does not", async () => {
  await writeFile(join(project, "right.ts"), program(RIGHT));
  expect(await typeErrors("right.ts")).toBe("");
  await writeFile(join(project, "wrong.ts"), program(RIGHT.replace(`epoch: 1`, `epoch: "1"`)));
  expect(await typeErrors("wrong.ts")).toMatch(/'string' is not assignable to type 'number'/);
  await writeFile(join(project, "unknown.ts"), program(RIGHT).replace("activities", "nope"));
  expect(await typeErrors("unknown.ts")).toMatch(/"nope"/);
}, 60_000);

test("it runs as plain JavaScript", async () => {
  await writeFile(join(project, "run.ts"), program(RIGHT));
  const [port] = await freePorts(1);
  const away = `amqp://127.0.0.1:${port}`;
  const { stdout } = await run(process.execPath, ["run.ts", away], { cwd: project });
  expect(stdout).toBe("broker_unreachable\n");
}, 30_000);
