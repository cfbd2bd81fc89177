/** Signing and verifying, with a stand-in for cosign that writes down what it is asked. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { copyRepository } from "../author/new-worker/repository-copy.ts";
import { OVERLAYS } from "../kubernetes/read/environments.ts";
import { imagesOf, SIGNER } from "./signatures.ts";

const HEX = "a".repeat(64);
const IMAGE = `ghcr.io/tiendaleon/tl-engine-activities@sha256:${HEX}`;

/** A copy of the repository with a cosign that refuses requests that fit `refuses`. */
function prepare(refuses = "^$") {
  const copy = copyRepository(["burials"]);
  onTestFinished(() => copy.remove());
  const program = `#!/bin/sh
echo "$*" >>"$0.asked"
if echo "$*" | grep -qE '${refuses}'; then echo "no matching signatures" >&2; exit 10; fi
`;
  mkdirSync(join(copy.folder, "bin"));
  writeFileSync(join(copy.folder, "bin/cosign"), program, { mode: 0o755 });
  const write = (path: string, text: string) => {
    mkdirSync(join(copy.folder, path, ".."), { recursive: true });
    writeFileSync(join(copy.folder, path), text);
  };
  const run = (script: string, env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(copy.folder, "scripts/images", script)], {
      encoding: "utf8",
      env: { PATH: `${copy.folder}/bin:${process.env.PATH}`, ...env },
    });
  const asked = () =>
    readFileSync(join(copy.folder, "bin/cosign.asked"), "utf8").trim().split("\n");
  return { folder: copy.folder, write, run, asked };
}

const overlay = (digest: string) =>
  `images:\n  - name: ghcr.io/tiendaleon/tl-engine-activities\n    newTag: 0.2.0\n${digest}`;
const DEV = `${OVERLAYS}/dev/kustomization.yaml`;

describe("make sign-images", () => {
  test("signs each image by digest, and attests its SBOM", () => {
    const { folder, write, run, asked } = prepare();
    write("out/images/pushed.sha256", `${HEX}  ghcr.io/tiendaleon/tl-engine-activities\n`);
    const { status, stdout } = run("sign-images.ts");
    expect(asked()).toEqual([
      `sign --yes ${IMAGE}`,
      `attest --yes --type cyclonedx --predicate ${folder}/out/images/activities.sbom.json ${IMAGE}`,
    ]);
    expect(stdout).toBe(`${IMAGE}: signed\nsign-images: signed=1\n`);
    expect(status).toBe(0);
  });

  test("refuses when nothing was pushed", () => {
    const { status, stderr } = prepare().run("sign-images.ts");
    expect(stderr).toContain("make images PUSH=1 REGISTRY=… comes first");
    expect(status).toBe(2);
  });

  test("fails when cosign does, or is not there", () => {
    const { write, run } = prepare("^attest");
    write("out/images/pushed.sha256", `${HEX}  ghcr.io/tiendaleon/tl-engine-activities\n`);
    expect(run("sign-images.ts")).toMatchObject({
      status: 1,
      stderr: "cosign attest ended with 10: no matching signatures\n",
    });
    expect(run("sign-images.ts", { PATH: "/nowhere" })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("cosign is needed"),
    });
  });
});

describe("make verify-images", () => {
  test("asks for our workflow's signature on image and SBOM", () => {
    const { write, run, asked } = prepare();
    write(DEV, overlay(`    digest: sha256:${HEX}\n`));
    const { status, stdout } = run("verify-images.ts", { ENV: "dev" });
    const who = `--certificate-oidc-issuer https://token.actions.githubusercontent.com --certificate-identity-regexp ${SIGNER}`;
    expect(asked()).toEqual([
      `verify ${who} ${IMAGE}`,
      `verify-attestation --type cyclonedx ${who} ${IMAGE}`,
    ]);
    expect(stdout).toContain("verify-images: env=dev verified=1");
    expect(status).toBe(0);
  });

  test("fails on an image that nobody signed", () => {
    const { write, run } = prepare("^verify ");
    write(DEV, overlay(`    digest: sha256:${HEX}\n`));
    expect(run("verify-images.ts", { ENV: "dev" })).toMatchObject({
      status: 1,
      stderr: "cosign verify ended with 10: no matching signatures\n",
    });
  });

  test("refuses an environment that is none, and a tag without a digest", () => {
    const { write, run } = prepare();
    write(DEV, overlay(""));
    expect(run("verify-images.ts", { ENV: "prod" })).toMatchObject({ status: 2 });
    expect(run("verify-images.ts", { ENV: "dev" })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("make pin-images ENV=… comes first"),
    });
  });
});

test("an image that has another name in the registry is asked for by that", () => {
  const text = `images:\n  - name: worker\n    newName: ghcr.io/a/b\n    digest: sha256:${HEX}\n`;
  expect(imagesOf(text)).toEqual([`ghcr.io/a/b@sha256:${HEX}`]);
});

test.each([
  ["images.yml@refs/tags/v0.2.0", true],
  ["images.yml@refs/tags/v0.2.0-rc.1", true],
  ["images.yml@refs/heads/main", false],
  ["images.yml@refs/tags/nightly", false],
  ["pin.yml@refs/tags/v0.2.0", false],
])("who signs: %s → %s", (workflow, ours) => {
  const at = (owner: string) =>
    `https://github.com/${owner}/tl-engine/.github/workflows/${workflow}`;
  expect(new RegExp(SIGNER).test(at("tiendaleon"))).toBe(ours);
  expect(new RegExp(SIGNER).test(at("somebody"))).toBe(false);
});
