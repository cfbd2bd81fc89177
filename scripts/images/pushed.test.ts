/** What a push leaves for those who sign, with a stand-in for docker. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { pushedDigest, readPushed, writePushed } from "./pushed.ts";

const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`;

/** A folder that goes with the test. */
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "pushed-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** docker, which knows these digests of any image. */
function dockerWith(digests: string[] | null): void {
  const bin = folder();
  writeFileSync(join(bin, "docker"), `#!/bin/sh\necho '${JSON.stringify(digests)}'\n`);
  chmodSync(join(bin, "docker"), 0o755);
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

test("an image's digest is that of the repository it was pushed to", async () => {
  dockerWith([
    `mirror.example.com:5000/tl-engine-activities@${digestOf("1")}`,
    `ghcr.io/tiendaleon/tl-engine-activities@${digestOf("2")}`,
  ]);
  const image = "tl-engine-activities:0.2.0";
  expect(await pushedDigest(`ghcr.io/tiendaleon/${image}`)).toMatch(/@sha256:2{64}$/);
  expect(await pushedDigest(`mirror.example.com:5000/${image}`)).toMatch(/@sha256:1{64}$/);
  await expect(pushedDigest(`ghcr.io/somebody/${image}`)).rejects.toThrow(/names no digest/);
});

test("an image without any digest was not pushed", async () => {
  dockerWith(null);
  await expect(pushedDigest("ghcr.io/a/b:1")).rejects.toThrow(/names no digest for it/);
});

test("what is written down is in sha256sum's form, and read again as it was", () => {
  const file = join(folder(), "pushed.sha256");
  const image = `ghcr.io/tiendaleon/tl-engine-activities@${digestOf("a")}`;
  writePushed([image], file);
  expect(readFileSync(file, "utf8")).toBe(
    `${"a".repeat(64)}  ghcr.io/tiendaleon/tl-engine-activities\n`,
  );
  expect(readPushed(file)).toEqual([{ name: "activities", image }]);
});

test("where nothing was pushed, it says what comes first", () => {
  expect(() => readPushed(join(folder(), "none"))).toThrow(/make images PUSH=1 REGISTRY=…/);
});
