/** What the manifests say of an engine is read, and what they lack is told with file and line. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import { BadInput } from "./bad-input.ts";
import { readEngines } from "./engines.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "simulate-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SCALED_OBJECT = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: activities
  annotations:
    tl-engine/jobs-per-second-per-replica: "1600"
    tl-engine/target-wait-seconds: "5"
    tl-engine/share-of-load: "0.5"
    tl-engine/events-per-job: "0.98"
spec:
  scaleTargetRef:
    name: activities
  maxReplicaCount: 3
  triggers:
    - type: rabbitmq
      metadata:
        protocol: http
        queueName: engine.activities
        mode: QueueLength
        value: "8000"
      authenticationRef:
        name: broker
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: broker
spec:
  secretTargetRef:
    - { parameter: host, name: broker, key: host }
`;
const KUSTOMIZATION = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml]
`;
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: activities
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 9
      containers:
        - name: worker
          resources:
            requests: { cpu: 300m, memory: 512Mi }
`;

function read(scaledObject: string, deployment?: string) {
  writeFileSync(join(folder, "keda.yaml"), scaledObject);
  const engines = join(folder, "manifests/base/engines");
  if (deployment !== undefined) {
    mkdirSync(engines, { recursive: true });
    writeFileSync(join(engines, "kustomization.yaml"), KUSTOMIZATION);
    writeFileSync(join(engines, "deployment.yaml"), deployment);
  }
  return readEngines({ scaledObjects: join(folder, "keda.yaml"), root: folder });
}

async function problemsOf(scaledObject: string): Promise<string> {
  const error = await read(scaledObject).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BadFiles);
  return (error as BadFiles).message.replaceAll(`${folder}/`, "");
}

test("figures come from the annotations, the worker definition and the Deployment", async () => {
  const [engine] = await read(SCALED_OBJECT, DEPLOYMENT);
  expect(engine).toMatchObject({
    name: "activities",
    jobsPerSecond: 1_600,
    targetWaitS: 5,
    concurrency: 64,
    timeoutMs: 10_000,
    // The grace period is shorter than the drain, and ends it.
    drainS: 9,
    podSize: { cpu: 0.3, memoryGib: 0.5 },
    // A weight, beside no other.
    share: 1,
    isPublished: true,
    eventsPerJob: 0.98,
    ownRowsPerJob: 0,
  });
  expect(engine?.scaledObject.triggers[0]?.value).toBe(8_000);
});

test("without a Deployment a pod requests what the owner gave, and drains in peace", async () => {
  const [engine] = await read(SCALED_OBJECT);
  expect(engine).toMatchObject({ drainS: 12, podSize: { cpu: 0.25, memoryGib: 0.25 } });
});

test("KEDA's errors are told with file and line", async () => {
  const text = await problemsOf(SCALED_OBJECT.replace("mode: QueueLength", "mode: QueueDepth"));
  expect(text).toMatch(/^keda\.yaml:19: keda-trigger: mode is "QueueDepth"/);
});

test("an annotation that is missing, or no number, is told with what to write", async () => {
  expect(await problemsOf(SCALED_OBJECT.replace('"1600"', '"fast"'))).toMatch(
    /^keda\.yaml:6: measured-figures: .*jobs-per-second-per-replica is no number above 0; write/,
  );
  expect(await problemsOf(SCALED_OBJECT.replace(/.*target-wait.*\n/, ""))).toMatch(
    /^keda\.yaml:5: measured-figures: .*target-wait-seconds is no number/,
  );
  expect(await problemsOf(SCALED_OBJECT.replace('"0.5"', '"0"'))).toMatch(
    /^keda\.yaml:8: measured-figures: .*share-of-load is no number above 0; write its part/,
  );
  expect(await problemsOf(SCALED_OBJECT.replace('"0.98"', '"-1"'))).toMatch(
    /^keda\.yaml:9: measured-figures: .*events-per-job is no number from 0; write a number/,
  );
});

test("shares are weights: an engine more changes no other's file", async () => {
  const engines = await readEngines();
  expect(engines.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  // What takes events or the broker's dead letters is published by nobody outside.
  for (const { name, isPublished } of engines)
    expect([name, isPublished]).toEqual([name, ["activities", "scheduler"].includes(name)]);
});

test("a ScaledObject of no engine is told", async () => {
  expect(await problemsOf(SCALED_OBJECT.replace("name: activities", "name: mail"))).toMatch(
    /^keda\.yaml:4: engine-exists: mail is the name of no folder/,
  );
});

test("no file at all says where it looked", async () => {
  await expect(readEngines({ scaledObjects: join(folder, "*.yaml") })).rejects.toThrow(BadInput);
});
