/** What keeps a pod from running is told by its kind, with the command that comes next. */
import { describe, expect, test } from "vitest";
import { findTrouble, type Pod } from "./diagnose.ts";
import { type TriedCluster, triedCluster } from "./kubectl.ts";

function clusterWith(pods: Pod[], events: unknown[] = []): TriedCluster {
  const read = async ([, noun]: string[]) => ({ items: noun === "pods" ? pods : events });
  return { ...triedCluster("kind-tl-engine", "tl-engine-dev"), read: read as TriedCluster["read"] };
}

const waitingPod = (reason: string, restartCount = 0, initial = false): Pod => ({
  metadata: { name: "activities-1" },
  status: {
    [initial ? "initContainerStatuses" : "containerStatuses"]: [
      { name: "worker", restartCount, state: { waiting: { reason, message: "why" } } },
    ],
  },
});
const unschedulable: Pod = {
  metadata: { name: "activities-1" },
  status: {
    phase: "Pending",
    conditions: [
      {
        type: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message: "0/1 nodes are available: 1 Insufficient cpu.",
      },
    ],
  },
};
const refusal = (message: string) => ({
  reason: "FailedCreate",
  message,
  involvedObject: { kind: "ReplicaSet", name: "activities-5d" },
});

describe("it tells", () => {
  test.each([
    ["ImagePullBackOff", "image_unavailable", /make images REGISTRY=… TAG=… PUSH=1/],
    ["ErrImageNeverPull", "image_unavailable", /describe pod activities-1/],
    ["CreateContainerConfigError", "cluster_unfit", /can't start: why/],
  ])("%s", async (reason, code, message) => {
    const found = await findTrouble(clusterWith([waitingPod(reason)]));
    expect(found).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("an image that the migration has not got", async () => {
    const found = await findTrouble(clusterWith([waitingPod("ErrImagePull", 0, true)]));
    expect(found?.code).toBe("image_unavailable");
  });

  test("a pod that crashes again and again, and not one that crashed once", async () => {
    expect(await findTrouble(clusterWith([waitingPod("CrashLoopBackOff", 1)]))).toBeUndefined();
    const found = await findTrouble(clusterWith([waitingPod("CrashLoopBackOff", 2)]));
    expect(found?.message).toContain("logs activities-1 --all-containers --previous");
  });

  test("a pod for which no node has room", async () => {
    const found = await findTrouble(clusterWith([unschedulable]));
    expect(found?.code).toBe("unschedulable");
    expect(found?.message).toContain("Insufficient cpu");
    expect(found?.message).toContain("get nodes");
  });

  test("a quota that is used up", async () => {
    const event = refusal("pods is forbidden: exceeded quota: tl-engine, requested: pods=1");
    const found = await findTrouble(clusterWith([], [event]));
    expect(found?.code).toBe("quota_exceeded");
    expect(found?.message).toContain("describe resourcequota");
  });

  test("a pod that Pod Security refuses", async () => {
    const event = refusal('pods "x" is forbidden: violates PodSecurity "restricted"');
    const found = await findTrouble(clusterWith([], [event]));
    expect(found?.code).toBe("cluster_unfit");
  });
});

test.each([
  "forbidden: status unknown for quota: tl-engine, resources: pods",
  'forbidden: error looking up service account tl-engine-dev/default: serviceaccount "default" not found',
])("what a new namespace has not got yet is no trouble: %s", async (message) => {
  expect(await findTrouble(clusterWith([], [refusal(message)]))).toBeUndefined();
});

test("a pod that still starts is no trouble", async () => {
  const pods = [waitingPod("ContainerCreating"), waitingPod("PodInitializing")];
  expect(await findTrouble(clusterWith(pods, [{ reason: "Scheduled" }]))).toBeUndefined();
});
