/** keda/ as this machine runs it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet } from "../../../shared/testing/fleet.ts";
import activities from "../../../workers/activities/index.ts";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import { REPOSITORY } from "../../repository.ts";
import { workerFolders } from "../../workers.ts";
import { createAutoscaler } from "../autoscaler.ts";
import { askTrigger, managementUrl } from "../keda/management.ts";
import type { RabbitMqTrigger, ScaledObject } from "../keda/scaled-object.ts";
import { gracePeriods } from "./grace-period.ts";
import { readKeda } from "./read-keda.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "keda-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const options = {
  folder: join(REPOSITORY, "keda"),
  amqpUrl: "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
  managementUrl: "http://guest:guest@127.0.0.1:15672",
  prefix: "engine",
};

test("the repository's own files scale each engine, on this broker", async () => {
  const scaledObjects = readKeda(options);
  expect(scaledObjects.map(({ name }) => name)).toEqual(await workerFolders());
  const urls = scaledObjects.map(
    ({ triggers }) => managementUrl(triggers[0] as RabbitMqTrigger).href,
  );
  expect(urls[0]).toBe("http://guest:guest@127.0.0.1:15672/api/queues/%2Fengine/engine.activities");
});

test.runIf(process.env.RABBITMQ_MANAGEMENT_URL)(
  "a job in the bulk queue alone wakes its engine; a backlog there raises it by its own target",
  async () => {
    const fleet = await openTestFleet([activities]);
    try {
      await fleet.publish("activities", "record", {}, { lane: "bulk" });
      const [scaledObject] = readKeda({
        ...options,
        amqpUrl: fleet.config.AMQP_URL,
        managementUrl: process.env.RABBITMQ_MANAGEMENT_URL ?? "",
        prefix: fleet.names.prefix,
      });
      const { triggers } = scaledObject as ScaledObject;
      const none = { value: 0, active: false };
      const readings = await fleet.until("the bulk job in the figures", async () => {
        const asked = await Promise.all(triggers.map(askTrigger));
        return asked.some((reading) => "value" in reading && reading.value > 0) ? asked : undefined;
      });
      expect(readings).toEqual([none, { value: 1, active: true }]);
      const autoscaler = createAutoscaler(scaledObject as ScaledObject, 0);
      expect(autoscaler.step(0, 0, readings)).toBe(1);
      const backlog = [none, { value: 150_000, active: true }];
      expect(autoscaler.step(autoscaler.nextMs, 1, backlog)).toBe(1);
      expect(autoscaler.step(autoscaler.nextMs, 1, backlog)).toBe(2);
    } finally {
      await fleet.close();
    }
  },
  30_000,
);

test("another prefix, and no more replicas than the machine may have", () => {
  const [first] = readKeda({ ...options, prefix: "t1", maxReplicas: 1 });
  expect(first?.triggers[0]?.queueName).toBe("t1.activities");
  expect(first?.maxReplicaCount).toBe(1);
});

test("what KEDA would refuse is told with file and line", () => {
  const file = join(folder, "activities.yaml");
  writeFileSync(file, "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: { name: a }\n");
  const read = () => readKeda({ ...options, folder });
  expect(read).toThrow(BadFiles);
  expect(read).toThrow(`${file}:1: keda-schema: spec is missing`);
});

test("a trigger that this fleet can't ask is an error, not a fleet that stands still", () => {
  const file = join(folder, "activities.yaml");
  writeFileSync(
    file,
    `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: a }
spec:
  scaleTargetRef: { name: a }
  triggers:
    - type: rabbitmq
      metadata: { queueName: q, host: "amqp://h/%2Fengine", protocol: amqp }
`,
  );
  const read = () => readKeda({ ...options, folder });
  expect(read).toThrow(`${file}:8: keda-protocol: the local fleet asks the management API`);
});

test("the grace period is the Deployment's own, else Kubernetes' default", () => {
  const engines = join(folder, "manifests/base/engines");
  mkdirSync(engines, { recursive: true });
  const kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
  writeFileSync(join(engines, "kustomization.yaml"), `${kustomization}resources: [a.yaml]\n`);
  writeFileSync(
    join(engines, "a.yaml"),
    "kind: Deployment\nmetadata: { name: activities }\nspec: { template: { spec: { terminationGracePeriodSeconds: 45 } } }\n",
  );
  expect(gracePeriods(folder)("activities")).toBe(45);
  expect(gracePeriods(folder)("analytics")).toBe(30);
  expect(gracePeriods(join(folder, "none"))("activities")).toBe(30);
  // Put together from the one worker and what differs.
  expect(gracePeriods(REPOSITORY)("analytics")).toBe(45);
});
