/** What kustomize makes of `keda/` and of the overlays, with a real kubectl where there is one. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { workerFolders } from "../../workers.ts";
import { readObjects, type SourceObject } from "../read/documents.ts";
import { secretsOf } from "./cluster-needs.ts";
import { kubectl } from "./kubectl.ts";
import { render, toYaml } from "./render.ts";
import { environmentOf } from "./target.ts";

const path = (relative: string) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
const isMissing = spawnSync("kubectl", ["version", "--client"]).error !== undefined;
if (isMissing) console.log("kubectl is not installed: what kustomize renders is not tested here.");

const engines = await workerFolders();
const CLUSTER_WIDE = ["Namespace", "PriorityClass"];
const of = (objects: SourceObject[], kind: string) => objects.filter((it) => it.kind === kind);
const metadataOf = ({ value }: SourceObject) =>
  value.metadata as { name: string; namespace?: string };
const namesOf = (objects: SourceObject[]) => objects.map(({ name }) => name).sort();

describe.skipIf(isMissing).each(["dev", "staging"])("the overlay %s", (name) => {
  const { objects } = isMissing ? { objects: [] } : render(environmentOf(name));
  const namespace = `tl-engine-${name}`;

  test("puts everything into its namespace, and shares nothing with the other environment", () => {
    for (const object of objects) {
      if (CLUSTER_WIDE.includes(object.kind)) expect(object.name).toBe(namespace);
      else expect([object.name, metadataOf(object).namespace]).toEqual([object.name, namespace]);
    }
  });

  test("has every engine's objects", () => {
    for (const kind of ["Deployment", "ScaledObject", "PodDisruptionBudget"])
      expect(namesOf(of(objects, kind))).toEqual(engines);
    expect(namesOf(of(objects, "NetworkPolicy"))).toEqual(expect.arrayContaining(engines));
    expect(namesOf(of(objects, "ExternalSecret"))).toEqual(secretsOf(objects));
  });

  test("states no replicas, which are KEDA's", () => {
    for (const { value } of of(objects, "Deployment"))
      expect(value.spec).not.toHaveProperty("replicas");
  });

  test("tags every image, and holds no Secret", () => {
    const images = toYaml(objects).match(/(?<=\bimage: ).*/g) ?? [];
    expect(images).toHaveLength(engines.length + 3);
    for (const image of images)
      expect(image).toMatch(/^ghcr\.io\/tiendaleon\/tl-engine-[a-z-]+:\d/);
    expect(of(objects, "Secret")).toEqual([]);
  });

  test("tells the workers where they are", () => {
    const config = of(objects, "ConfigMap").find((it) => it.name.startsWith("tl-engine-config"));
    expect(config?.value.data).toMatchObject({ ENGINE_ENV: name, HEALTH_PORT: "9090" });
  });
});

/** Without what the overlay says of all that is in it. */
function unlabelled(value: Record<string, unknown>): object {
  const { metadata, ...rest } = structuredClone(value) as { metadata: { labels: object } };
  const common = ["instance", "managed-by", "version"].map((name) => `app.kubernetes.io/${name}`);
  const labels = Object.entries(metadata.labels).filter(([name]) => !common.includes(name));
  return { ...rest, metadata: { ...metadata, labels: Object.fromEntries(labels) } };
}

test.skipIf(isMissing)("keda/ alone is dev's, as the overlay has it", () => {
  const { objects } = readObjects("keda", kubectl(["kustomize", path("keda")]).stdout);
  expect(objects.map(metadataOf).filter(({ namespace }) => namespace !== "tl-engine-dev")).toEqual(
    [],
  );
  const inOverlay = render(environmentOf("dev")).objects.filter(({ apiVersion }) =>
    apiVersion.startsWith("keda.sh/"),
  );
  expect(objects.map(({ value }) => value)).toEqual(
    inOverlay.map(({ value }) => unlabelled(value)),
  );
});

test.skipIf(isMissing)("what Argo CD is given renders, and leaves the replicas alone", () => {
  const { objects } = readObjects(
    "argocd",
    kubectl(["kustomize", path("manifests/addons/argocd")]).stdout,
  );
  const applications = of(objects, "Application").map(({ name, value }) => ({
    name,
    ...(value.spec as object),
  }));
  expect(applications).toMatchObject(
    ["dev", "staging"].map((name) => ({
      name: `tl-engine-${name}`,
      source: { path: `manifests/overlays/${name}` },
      ignoreDifferences: [{ kind: "Deployment", jsonPointers: ["/spec/replicas"] }],
      syncPolicy: { syncOptions: expect.arrayContaining(["RespectIgnoreDifferences=true"]) },
    })),
  );
  expect(
    applications.map((it) => "automated" in (it as unknown as { syncPolicy: object }).syncPolicy),
  ).toEqual([true, false]);
});
