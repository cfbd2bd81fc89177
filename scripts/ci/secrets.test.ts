/** The scan for secrets: what it finds in bad examples, which are put together here so that no file holds one. */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { REPOSITORY } from "../repository.ts";
import { findSecrets } from "./secrets.ts";

const LETTERS = "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8cF0iL";

/** A real one, of this run alone. */
function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

const scan = async (text: string, file = "some/file.yaml") =>
  (await findSecrets([{ file, text }])).found;

const SECRETS: [kind: string, secret: string][] = [
  [
    "a broker's URL",
    ["amqps://", "tl-plane:", "Zu4pX9", "@puffin.rmq.cloudamqp.com/engine"].join(""),
  ],
  ["Redis' URL without a user", ["rediss://", ":Zu4pX9", "@eu1.upstash.io:6379"].join("")],
  ["a database's URL", ["postgres://", "engine:Zu4pX9", "@ep-1.neon.tech/enginedb"].join("")],
  ["an address with credentials", ["https://", "ana:Zu4pX9", "@rabbit.example.com"].join("")],
  ["a token of GitHub", ["ghp", `_${LETTERS}Ab12`].join("")],
  [
    "a key of AWS",
    `aws_secret_access_key = ${["wJalrXUtnFEMI", "K7MDENG", "bPxRfiCYEXAMPLEKEy"].join("/")}`,
  ],
  ["npm's token", ["//registry.npmjs.org/:_authToken=npm", `_${LETTERS}Ab12`].join("")],
  ["a private key", newKey()],
  [
    "a hook of Slack",
    ["https://hooks.slack.com/services", "T0000000A", "B0000000A", LETTERS.slice(0, 24)].join("/"),
  ],
];

test.each(SECRETS)("%s is found, with its line, and not printed", async (_kind, secret) => {
  const found = await scan(`a: b\n\n  secret: ${secret}\n`);
  expect(found).toMatchObject([{ file: "some/file.yaml", line: 3 }]);
  expect(JSON.stringify(found)).not.toMatch(/Zu4pX9|aB3dE5|wJalr/);
});

test("a test may hold no real one either", async () => {
  for (const [, secret] of SECRETS) expect(await scan(secret, "shared/x.test.ts")).toHaveLength(1);
});

test.each([
  ["amqp://guest:guest@127.0.0.1:5672/%2Fengine"],
  ["amqps://user:password@host/%2Fengine"],
  ["redis://127.0.0.1:6379"],
  ["amqp://$" + "{user}:$" + "{password}@host"],
  ["amqps://<user>:<password>@host"],
])("%s is none", async (text) => {
  expect(await scan(text)).toEqual([]);
});

test("an entry of the allow-list that fits nothing is told", async () => {
  const text = /nothing/;
  const { unused } = await findSecrets([{ file: "a", text: "b" }], [{ text, why: "gone" }]);
  expect(unused).toEqual([{ text, why: "gone" }]);
});

/** A repository of git with the scanner and one file in it. */
function scanIn(options: { git: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), "scan-secrets-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of ["ci", "show", "repository.ts"])
    cpSync(join(REPOSITORY, "scripts", part), join(folder, "scripts", part), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), `{"type":"module"}`);
  writeFileSync(join(folder, ".gitignore"), ".env\nnode_modules\n");
  mkdirSync(join(folder, "docs"));
  for (const file of [".env", "docs/page.md"])
    writeFileSync(join(folder, file), SECRETS[0]?.[1] ?? "");
  if (options.git) spawnSync("git", ["init", "--quiet", folder]);
  const script = join(folder, "scripts/ci/scan-secrets.ts");
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() };
  return spawnSync(process.execPath, [script], { encoding: "utf8", env });
}

test("files that git is about to have are scanned, ignored ones are not", () => {
  const { status, stdout } = scanIn({ git: true });
  expect(stdout).toContain("docs/page.md:1: secret: looks like one (URL with a password)\n");
  expect(stdout).not.toContain(".env:");
  expect(stdout).not.toContain("Zu4pX9");
  expect(status).toBe(1);
});

test("outside of git it says so, and is no failure", () => {
  expect(scanIn({ git: false })).toMatchObject({
    status: 0,
    stdout: "scan-secrets: this is no git repository, so nothing was scanned.\n",
  });
});
