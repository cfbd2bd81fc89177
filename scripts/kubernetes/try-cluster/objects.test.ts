/** What a try changes of an overlay, and what it never does. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { loadWorkers } from "../../workers.ts";
import { toYaml } from "../deploy/render.ts";
import { environmentOf } from "../deploy/target.ts";
import { compose } from "../kustomize/compose.ts";
import { repositoryFiles } from "../kustomize/files.ts";
import { CAPACITY_RULES } from "../lint/rules/capacity.ts";
import { type ImageChoice, tryObjects } from "./objects.ts";
import { newPasswords, secretsYaml } from "./secrets.ts";

const isMissing = spawnSync("kubectl", ["version", "--client"]).error !== undefined;
if (isMissing) console.log("kubectl is not installed: what a try applies is not tested here.");

const AS_WRITTEN: ImageChoice = { registry: undefined, tag: undefined, areLoaded: false };
const objectsOf = (choice: Partial<ImageChoice> = {}) =>
  tryObjects(environmentOf("dev"), { ...AS_WRITTEN, ...choice }, "try-1");

test("the servers find room in the quota beside the environment's worst case", async () => {
  const files = repositoryFiles();
  const servers = compose(files, "manifests/addons/try-services").objects;
  // One pod each, as a Job has it: they are never scaled, and their strategy is Recreate.
  const counted = servers.map((it) => (it.kind === "Deployment" ? { ...it, kind: "Job" } : it));
  const objects = [...compose(files, "manifests/overlays/dev").objects, ...counted];
  const engines = (await loadWorkers()).map(({ definition }) => definition);
  const told: string[] = [];
  const world = { environment: "dev", namespace: "tl-engine-dev", objects, engines, files };
  for (const { name, check } of CAPACITY_RULES)
    if (["worst-case-quota", "limit-range"].includes(name))
      check({ ...world, target: undefined }, (_, message) => told.push(message));
  expect(told).toEqual([]);
});

const ENGINES = [
  ...["activities", "analytics", "automations", "burials", "notifications", "scheduler"],
];

describe.skipIf(isMissing)("the objects of a try", () => {
  test("are the overlay's without its operators', and the servers'", () => {
    const { fleet, services, leftOut, prefix } = objectsOf();
    expect(leftOut).toEqual(["CronJob", "ExternalSecret", "PodMonitor"]);
    expect(prefix).toBe("engine");
    const kinds = new Set(fleet.map(({ kind }) => kind));
    for (const kind of ["Deployment", "ScaledObject", "NetworkPolicy", "ResourceQuota", "Job"])
      expect(kinds).toContain(kind);
    for (const kind of leftOut) expect(kinds).not.toContain(kind);
    const servers = services.filter(({ kind }) => kind === "Deployment").map(({ name }) => name);
    expect(servers.sort()).toEqual(["postgres", "rabbitmq", "redis"]);
  });

  test("carry the try's name where they stand outside of the namespace", () => {
    const { fleet } = objectsOf();
    const labelled = fleet.filter(({ value }) => JSON.stringify(value).includes('"try-1"'));
    expect(labelled.map(({ kind }) => kind).sort()).toEqual(["Namespace", "PriorityClass"]);
  });

  test("pull what the overlay says, unless another registry or tag is named", () => {
    expect(objectsOf().images).toContain("ghcr.io/tiendaleon/tl-engine-activities:0.1.0");
    const { images } = objectsOf({ registry: "localhost:5000", tag: "abc" });
    expect(images).toEqual(
      [...ENGINES, "tools"].map((name) => `localhost:5000/tl-engine-${name}:abc`),
    );
    expect(objectsOf({ registry: "reg.example/x" }).images).toContain(
      "reg.example/x/tl-engine-tools:0.1.0",
    );
  });

  test("ask no registry for images that were loaded", () => {
    expect(toYaml(objectsOf().fleet)).toContain("imagePullPolicy: Always");
    expect(toYaml(objectsOf({ areLoaded: true }).fleet)).not.toContain("imagePullPolicy: Always");
  });

  test("find every Secret that they name, and no password twice", () => {
    const { fleet, services } = objectsOf();
    const yaml = secretsYaml(fleet, "tl-engine-dev", newPasswords());
    const made = [...yaml.matchAll(/^ {2}name: (.*)$/gm)].map((match) => match[1]);
    expect(made.sort()).toEqual([
      ...ENGINES,
      ...["tl-engine-keda", "tl-engine-tools", "try-services"],
    ]);
    expect(yaml).toContain("host: http://rabbitmq.tl-engine-dev.svc:15672");
    const keys = [...toYaml(services).matchAll(/^\s+key: (.*)$/gm)].map((match) => match[1] ?? "");
    for (const key of keys) expect(yaml).toContain(`${key}: `);
    const [one, two] = [newPasswords(), newPasswords()];
    expect(new Set([...Object.values(one), ...Object.values(two)]).size).toBe(6);
  });
});
