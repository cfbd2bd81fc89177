/** Pods at worst, what they fill, and what a quota leaves of it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readObjects } from "../kubernetes/read/documents.ts";
import { exampleEngine } from "../scaling/simulate/example-engine.ts";
import { engineGroup, packed, podsOf, quotaOf, setupGroups } from "./worst-pods.ts";

const objectsOf = (yaml: string) => readObjects("test.yaml", yaml).objects;
const scaledObject = (maxReplicaCount: number) =>
  exampleEngine({}, { maxReplicaCount }).scaledObject;
const NODE = { podCpu: 1.6, podMemoryGib: 5.3 };
const SMALL = { cpu: 0.25, memoryGib: 0.25 };

const deployment = (strategy: string) => `
kind: Deployment
metadata: { name: activities }
spec:
  ${strategy}
  template: { spec: { containers: [{ resources: { requests: { cpu: 500m, memory: 1Gi } } }] } }
`;

describe("pods of an engine", () => {
  test("maxReplicaCount, what a rollout adds, and as many that still drain", () => {
    const objects = objectsOf(deployment("strategy: { rollingUpdate: { maxSurge: 1 } }"));
    const group = engineGroup(scaledObject(10), objects);
    expect(group).toMatchObject({ steady: 10, surge: 1, draining: 10 });
    expect([podsOf(group), group.size]).toEqual([21, { cpu: 0.5, memoryGib: 1 }]);
  });

  test("Kubernetes' own surge is a quarter, rounded up", () => {
    expect(engineGroup(scaledObject(10), objectsOf(deployment(""))).surge).toBe(3);
  });

  test("without a Deployment it requests what the owner's figures say", () => {
    expect(engineGroup(scaledObject(1), []).size).toEqual(SMALL);
  });
});

test("Jobs and CronJobs are one pod each", () => {
  const pod = "{ spec: { containers: [{ resources: { requests: { cpu: 1 } } }] } }";
  const yaml = `
kind: Job
metadata: { name: migrate }
spec: { template: ${pod} }
---
kind: CronJob
metadata: { name: topology }
spec: { jobTemplate: { spec: { template: ${pod} } } }
`;
  const groups = setupGroups(objectsOf(yaml));
  expect(groups.map((group) => [group.name, podsOf(group), group.size.cpu])).toEqual([
    ["migrate", 1, 1],
    ["topology", 1, 1],
  ]);
});

describe("packing", () => {
  test.each([
    [0, 0],
    [1, 1],
    [6, 1],
    [7, 2],
    [12, 2],
    [13, 3],
  ])("%i pods of 250m on nodes with 1.6 CPU for pods fill %i", (count, nodes) => {
    expect(packed([{ count, size: SMALL }], NODE)).toBe(nodes);
  });

  test("memory decides where there is less of it", () => {
    expect(packed([{ count: 4, size: { cpu: 0.1, memoryGib: 2 } }], NODE)).toBe(2);
  });

  test("the quota on CPU, on memory and on pods cuts what can be there", () => {
    const pods = [{ count: 100, size: SMALL }];
    const yaml = (hard: string) => objectsOf(`kind: ResourceQuota\nspec: { hard: { ${hard} } }`);
    expect(packed(pods, NODE, quotaOf(yaml('requests.cpu: "3"')))).toBe(2);
    expect(packed(pods, NODE, quotaOf(yaml("requests.memory: 5Gi")))).toBe(4);
    expect(packed(pods, NODE, quotaOf(yaml('pods: "7"')))).toBe(2);
    expect(packed(pods, NODE, quotaOf([]))).toBe(17);
  });

  test("another pod never needs fewer nodes, and a node holds no more than it has", () => {
    const size = fc.record({
      cpu: fc.double({ min: 0.05, max: 1.6, noNaN: true }),
      memoryGib: fc.double({ min: 0.05, max: 5.3, noNaN: true }),
    });
    fc.assert(
      fc.property(size, fc.nat(60), (size, count) => {
        const nodes = packed([{ count, size }], NODE);
        expect(packed([{ count: count + 1, size }], NODE)).toBeGreaterThanOrEqual(nodes);
        expect(nodes * NODE.podCpu + 1e-6).toBeGreaterThanOrEqual(count * size.cpu);
        expect(nodes * NODE.podMemoryGib + 1e-6).toBeGreaterThanOrEqual(count * size.memoryGib);
      }),
    );
  });
});
