/** Digests: what is pinned, and what `make pin-images` writes. The registry is played by a function. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { copyRepository } from "../author/new-worker/repository-copy.ts";
import { compose } from "../kubernetes/kustomize/compose.ts";
import { filesOf, repositoryFiles } from "../kubernetes/kustomize/files.ts";
import { lintManifests } from "../kubernetes/lint/lint.ts";
import { environmentNames, OVERLAYS } from "../kubernetes/read/environments.ts";
import { REPOSITORY } from "../repository.ts";
import { loadWorkers } from "../workers.ts";
import { baseImages, pinDockerfile, pinOverlay } from "./digests.ts";

const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`;
const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");

/** Why an image from outside has no digest. Every other one has it, with its tag. */
const UNPINNED: Record<string, string> = {
  "rabbitmq:4-management":
    "development, tests and a cluster that is tried alone, which meet a new patch release first",
  "postgres:17": "the same",
  "redis:7": "the same",
};

test("every image from outside has its tag and its digest, but for those that have a reason", () => {
  const services = Object.values(
    (parse(read("compose.yaml")) as { services: Record<string, { image: string }> }).services,
  );
  const images = [...baseImages(read("Dockerfile")), ...services.map(({ image }) => image)];
  const manifests = repositoryFiles().paths.flatMap((path) =>
    [...read(path).matchAll(/^[\s-]*image: (.+)$/gm)].map((match) => match[1] ?? ""),
  );
  // Ours, which each overlay tags, and the worker's, which each engine names.
  images.push(...manifests.filter((image) => !/^(ghcr\.io\/tiendaleon\/|worker$)/.test(image)));
  const unpinned = images.filter((image) => !/^[^@]+:[^@]+@sha256:[0-9a-f]{64}$/.test(image));
  expect([...new Set(unpinned)].toSorted()).toEqual(Object.keys(UNPINNED).toSorted());
});

describe("a Dockerfile", () => {
  const DOCKERFILE = `FROM node:1-slim@${digestOf("0")} AS base\nFROM base AS a\nFROM debian:13\nFROM scratch\nFROM \${KIND}\n`;

  test("gets the digest of what each tag means now", async () => {
    const asked: string[] = [];
    const pinned = await pinDockerfile(DOCKERFILE, async (reference) => {
      asked.push(reference);
      return digestOf(String(asked.length));
    });
    expect(asked).toEqual(["node:1-slim", "debian:13"]);
    expect(pinned).toBe(
      `FROM node:1-slim@${digestOf("1")} AS base\nFROM base AS a\nFROM debian:13@${digestOf("2")}\nFROM scratch\nFROM \${KIND}\n`,
    );
  });
});

describe.each(environmentNames(REPOSITORY))("the overlay of %s", (environment) => {
  const file = `${OVERLAYS}/${environment}/kustomization.yaml`;
  const images = (parse(read(file)) as { images: { name: string; newTag: string }[] }).images;

  test("gets a digest beside each tag, loses the component for tags, and lints", async () => {
    const asked: string[] = [];
    const pinned = await pinOverlay(read(file), { tag: "9.8.7" }, async (reference) => {
      asked.push(reference);
      return digestOf("a");
    });
    expect(asked).toEqual(images.map(({ name }) => `${name}:9.8.7`));
    expect(read(file)).toContain("addons/unpinned-images");
    expect(pinned).not.toContain("addons/unpinned-images");
    // All else is as it was.
    const changed = /newTag|digest|version: |unpinned|have no digest yet/;
    const rest = (text: string) => text.split("\n").filter((line) => !changed.test(line));
    expect(rest(pinned)).toEqual(rest(read(file)));

    const real = repositoryFiles();
    const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
    const files = filesOf(texts.set(file, pinned));
    const engines = (await loadWorkers()).map(({ definition }) => definition);
    expect((await lintManifests(files, engines)).problems).toEqual([]);
    const runs = JSON.stringify(compose(files, `${OVERLAYS}/${environment}`).objects);
    expect(runs).toContain(`tl-engine-activities:9.8.7@${digestOf("a")}`);
    expect(runs).not.toContain('"imagePullPolicy":"Always"');
  });

  test("of one image keeps the others, and the component, as they have no digest yet", async () => {
    const one = { image: "tl-engine-burials", tag: "2.0.0" };
    const pinned = await pinOverlay(read(file), one, async () => digestOf("b"));
    const { images: after } = parse(pinned) as { images: object[] };
    expect(after).toEqual(
      images.map((image) =>
        image.name.endsWith("burials")
          ? { ...image, newTag: "2.0.0", digest: digestOf("b") }
          : image,
      ),
    );
    expect(pinned).toContain("addons/unpinned-images");
    expect(pinned).toContain("version: 0.1.0");
  });
});

describe("make pin-images", () => {
  const run = (env: Record<string, string>) =>
    spawnSync(process.execPath, [join(REPOSITORY, "scripts/images/pin-images.ts")], {
      env: { PATH: join(REPOSITORY, "nowhere"), ...env },
      encoding: "utf8",
    });

  test.each([
    [{ TAG: "1.0.0" }, /say which environment/],
    [{ ENV: "prod" }, /ENV=prod is no environment; there are dev, staging/],
    [{ ENV: "dev", TAG: "latest" }, /TAG=latest names no version/],
    [{ ENV: "dev", NAME: "nobody" }, /NAME=nobody is no image/],
  ])("refuses %j", (env, message) => {
    expect(run(env)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) });
  });

  test("asks the registry by buildx, and writes what it answers into the overlay", () => {
    const copy = copyRepository(["burials"]);
    try {
      const docker = `#!/bin/sh\necho "$@" >>"$0.asked"\nprintf 'sha256:%064d\\n' 7\n`;
      writeFileSync(join(copy.folder, "docker"), docker, { mode: 0o755 });
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(copy.folder, "scripts/images/pin-images.ts")],
        {
          env: { PATH: `${copy.folder}:${process.env.PATH}`, ENV: "dev", NAME: "burials" },
          encoding: "utf8",
        },
      );
      expect(stdout).toBe(
        "pin-images: file=manifests/overlays/dev/kustomization.yaml digests=1 changed=yes\n",
      );
      expect(status).toBe(0);
      expect(readFileSync(join(copy.folder, "docker.asked"), "utf8")).toBe(
        "buildx imagetools inspect ghcr.io/tiendaleon/tl-engine-burials:0.1.0 --format {{.Manifest.Digest}}\n",
      );
      const overlay = readFileSync(join(copy.folder, OVERLAYS, "dev/kustomization.yaml"), "utf8");
      expect(overlay).toContain(`newTag: 0.1.0\n    digest: sha256:${"7".padStart(64, "0")}\n`);
    } finally {
      copy.remove();
    }
  });

  test("without Docker says what to install, and writes nothing", () => {
    const before = read("Dockerfile");
    expect(run({})).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^Docker is needed/),
    });
    expect(read("Dockerfile")).toBe(before);
  });
});
