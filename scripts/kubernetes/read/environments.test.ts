/** An overlay is its base with its patches over it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { environmentObjects } from "./environments.ts";

const HEADER = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
const KEDA = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n";
const home = process.cwd();
let folder: string;
const write = (path: string, text: string) => {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "overlay-"));
  process.chdir(folder);
  write("keda/kustomization.yaml", `${HEADER}resources: [activities.yaml]`);
  write(
    "keda/activities.yaml",
    `${KEDA}metadata: { name: activities }\nspec: { maxReplicaCount: 3, pollingInterval: 10 }\n---\n${KEDA}metadata: { name: other }\nspec: { maxReplicaCount: 1 }`,
  );
  write(
    "manifests/overlays/dev/kustomization.yaml",
    `${HEADER}resources: [../../../keda]\npatches:\n  - path: patch.yaml`,
  );
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

test("a patch changes what it names and leaves the rest", () => {
  write(
    "manifests/overlays/dev/patch.yaml",
    `${KEDA}metadata: { name: activities }\nspec: { maxReplicaCount: 9 }`,
  );
  expect(environmentObjects("dev").map(({ value }) => value.spec)).toEqual([
    { maxReplicaCount: 9, pollingInterval: 10 },
    { maxReplicaCount: 1 },
  ]);
});

test("containers are merged by their names", () => {
  const list = (items: string) =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: activities }\nspec: { template: { spec: { containers: [${items}] } } }`;
  write("keda/activities.yaml", list("{ name: worker, image: a, cpu: 1 }"));
  write("manifests/overlays/dev/patch.yaml", list("{ name: worker, cpu: 2 }, { name: side }"));
  expect(environmentObjects("dev")[0]?.value.spec).toEqual({
    template: {
      spec: { containers: [{ name: "worker", image: "a", cpu: 2 }, { name: "side" }] },
    },
  });
});

test("a file that is not there is told where it is named", () => {
  expect(() => environmentObjects("dev")).toThrow(
    "manifests/overlays/dev/kustomization.yaml:5: kustomization: patch.yaml does not exist",
  );
});
