/** Names, tags and labels of the images, and the components that their SBOM adds. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REPOSITORY } from "../repository.ts";
import {
  BadImageRequest,
  defaultTag,
  imageNames,
  imageReference,
  labelsOf,
  publicUrl,
} from "./image-set.ts";
import { debianComponent } from "./sbom.ts";

const SOURCE = {
  version: "0.1.0",
  revision: "5946e9fa0338b55ed2cd59bcd1dd6cf33a7b9b8a",
  dirty: false,
  created: "2026-01-02T03:04:05.000Z",
  url: undefined,
};

test("one for each engine, and the tools", async () => {
  expect(await imageNames("")).toEqual(
    expect.arrayContaining(["activities", "analytics", "burials", "tools"]),
  );
  expect(await imageNames("tools")).toEqual(["tools"]);
  await expect(imageNames("nobody")).rejects.toThrow(
    /NAME=nobody is no image; there are: activities/,
  );
});

test("references", () => {
  expect(imageReference("tools", "1.0.0")).toBe("tl-engine-tools:1.0.0");
  expect(imageReference("tools", "1.0.0", "registry.example/acme/")).toBe(
    "registry.example/acme/tl-engine-tools:1.0.0",
  );
  for (const tag of ["latest", "a b", "-x", ""])
    expect(() => imageReference("tools", tag)).toThrow(BadImageRequest);
});

test("a tag says whether files differ from the commit", () => {
  expect(defaultTag(SOURCE)).toBe("5946e9fa0338");
  expect(defaultTag({ ...SOURCE, dirty: true })).toBe("5946e9fa0338-dirty");
  expect(defaultTag({ ...SOURCE, revision: undefined })).toBe("0.1.0");
});

test("labels hold what is known, and no more", () => {
  expect(labelsOf("activities", { ...SOURCE, dirty: true })).toEqual({
    "org.opencontainers.image.title": "tl-engine-activities",
    "org.opencontainers.image.version": "0.1.0",
    "org.opencontainers.image.revision": `${SOURCE.revision}-dirty`,
    "org.opencontainers.image.created": SOURCE.created,
  });
});

test.each([
  ["https://user:secret@git.example/acme/tl.git", "https://git.example/acme/tl"],
  ["git@git.example:acme/tl.git", "https://git.example/acme/tl"],
  ["ssh://git@git.example/acme/tl.git", "https://git.example/acme/tl"],
  ["/srv/git/tl.git", undefined],
  ["file:///srv/git/tl.git", undefined],
  ["", undefined],
])("the public address of %j is %j", (remote, url) => {
  expect(publicUrl(remote)).toBe(url);
});

test("a dpkg record becomes a component with a package URL", () => {
  const record =
    "Package: libstdc++6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 14.2.0-19\n";
  expect(debianComponent(record)).toMatchObject({
    name: "libstdc++6",
    version: "14.2.0-19",
    purl: "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64",
  });
  expect(() => debianComponent("Package: x\n")).toThrow(/without Version/);
});

test.each(["images.ts", "try-image.ts"])("%s without Docker says what to install", (script) => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(REPOSITORY, "scripts/images", script)],
    {
      env: { PATH: join(REPOSITORY, "nowhere"), NAME: "activities" },
      encoding: "utf8",
    },
  );
  expect(stderr).toMatch(/^Docker is needed: install Docker Engine 23 or newer/m);
  expect(status).toBe(1);
});
