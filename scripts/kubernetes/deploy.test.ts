/** `make deploy-…`: which clusters it refuses, in which order it applies, what it says when something fails. */
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { type Answer, runWithKubectl } from "./deploy/testing/fake-kubectl.ts";

const RENDERED = `
apiVersion: v1
kind: Namespace
metadata: { name: tl-engine-dev }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: tl-engine-config, namespace: tl-engine-dev }
data: { ENGINE_ENV: dev, LOUD: "on" }
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: activities, namespace: tl-engine-dev }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: activities, namespace: tl-engine-dev }
spec:
  progressDeadlineSeconds: 300
  template:
    spec:
      containers: [{ name: worker, envFrom: [{ secretRef: { name: activities } }] }]
---
apiVersion: batch/v1
kind: Job
metadata: { name: tl-engine-setup, namespace: tl-engine-dev }
`;

const json = (value: unknown) => JSON.stringify(value);
const condition = (type: string) => json({ status: { conditions: [{ type, status: "True" }] } });
const scaledObjects = (annotations: Record<string, string>) =>
  json({ items: [{ metadata: { name: "activities", annotations } }] });

/** A cluster where all is well. */
const GOOD: Answer[] = [
  { to: "^config current-context", stdout: "tl-engine-dev\n" },
  { to: "^kustomize ", stdout: RENDERED },
  { to: "api-resources", stdout: "scaledobjects.keda.sh\n" },
  { to: "get namespace", stdout: "namespace/tl-engine-dev\n" },
  { to: " diff ", status: 1, stdout: "-  old\n+  new\n" },
  { to: "get secrets", stdout: "secret/activities\n" },
  { to: "get job", stdout: condition("Complete") },
  { to: " apply ", stdout: "some/object configured\nother/object unchanged\n" },
  { to: "get scaledobjects.keda.sh -o json", stdout: scaledObjects({}) },
  { to: "get deployments.apps,", stdout: "activities 0/0\n" },
];

/** The cluster with some answers replaced. */
function deploy(answers: Answer[], env: Record<string, string> = {}) {
  return runWithKubectl(["scripts/kubernetes/deploy.ts"], [...answers, ...GOOD], {
    ENV: "dev",
    ...env,
  });
}

const kinds = (yaml: string) => parseAllDocuments(yaml).map((it) => it.toJS().kind);
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);

describe("a deploy", () => {
  test("shows the difference, then applies what the Job needs, the Job, and what needs the Job", () => {
    const { status, stdout, stderr, asked } = deploy([]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const steps = asked
      .map(({ args }) => args)
      .filter((args) => / (diff|apply|delete|rollout) /.test(args));
    expect(steps).toEqual([
      "--context=tl-engine-dev diff -f -",
      "--context=tl-engine-dev apply -f -",
      "--context=tl-engine-dev -n tl-engine-dev delete job tl-engine-setup --ignore-not-found --wait=true",
      "--context=tl-engine-dev apply -f -",
      "--context=tl-engine-dev apply -f -",
      "--context=tl-engine-dev -n tl-engine-dev rollout status deployment/activities --timeout=300s",
    ]);
    expect(
      asked.filter(({ args }) => args.endsWith("apply -f -")).map(({ input }) => kinds(input)),
    ).toEqual([["Namespace", "ConfigMap"], ["Job"], ["ScaledObject", "Deployment"]]);
    expect(stdout).toContain("+  new");
    expect(lastLine(stdout)).toMatch(
      /^deploy: env=dev context=tl-engine-dev objects=5 changed=2 engines=1 seconds=[\d.]+$/,
    );
  });

  test("gives kubectl texts that YAML 1.1 could take for something else in quotes", () => {
    const { asked } = deploy([]);
    expect(asked.find(({ args }) => args.endsWith("apply -f -"))?.input).toContain('LOUD: "on"');
  });

  test("touches no cluster but the one that it checked", () => {
    const { asked } = deploy([]);
    const elsewhere = asked.filter(({ args }) => !args.startsWith("--context=tl-engine-dev "));
    expect(elsewhere.map(({ args }) => args.split(" ")[0])).toEqual(["config", "kustomize"]);
  });

  test("with DRY_RUN shows the difference and changes nothing", () => {
    const { status, stdout, asked } = deploy([], { DRY_RUN: "1" });
    expect(status).toBe(0);
    expect(stdout).toContain("+  new");
    expect(asked.filter(({ args }) => / (apply|delete|scale|annotate) /.test(args))).toEqual([]);
    expect(lastLine(stdout)).toContain("changed=0");
  });

  test("of a new namespace lists what is created, for nothing can be compared", () => {
    const { status, stdout, asked } = deploy([{ to: "get namespace", stdout: "" }]);
    expect(status).toBe(0);
    expect(stdout).toContain("tl-engine-dev is new");
    expect(stdout).toContain("Deployment/activities");
    expect(asked.filter(({ args }) => args.includes(" diff "))).toEqual([]);
  });

  test("says that engines are stopped, which it does not undo", () => {
    const paused = scaledObjects({ "autoscaling.keda.sh/paused-replicas": "0" });
    const { stdout } = deploy([{ to: "get scaledobjects.keda.sh -o json", stdout: paused }]);
    expect(stdout).toContain("still so: activities. To go on: make resume ENV=dev");
  });
});

describe("it refuses, and changes nothing,", () => {
  const refused = (answers: Answer[], env?: Record<string, string>) => {
    const { status, stderr, asked } = deploy(answers, env);
    expect(status).toBe(2);
    expect(asked.filter(({ args }) => / (diff|apply|delete) /.test(args))).toEqual([]);
    return stderr;
  };

  test("a context that is not on the overlay's list", () => {
    const stderr = refused([{ to: "^config", stdout: "prod-eu\n" }]);
    expect(stderr).toContain("the context prod-eu");
    expect(stderr).toContain("manifests/overlays/dev/target.yaml");
  });

  test("the other environment's context", () => {
    refused([{ to: "^config", stdout: "tl-engine-staging\n" }]);
  });

  test("no context at all", () => {
    const stderr = refused([{ to: "^config", status: 1, stderr: "current-context is not set" }]);
    expect(stderr).toContain("no cluster");
  });

  test("an environment that is none", () => {
    expect(refused([], { ENV: "prod" })).toContain("dev, staging");
  });

  test("a cluster without KEDA", () => {
    expect(refused([{ to: "api-resources", stdout: "" }])).toContain("KEDA: https://keda.sh");
  });

  test("a broken overlay, in kubectl's words", () => {
    const stderr = refused([{ to: "^kustomize", status: 1, stderr: "no such file: x.yaml" }]);
    expect(stderr).toContain("no such file: x.yaml");
  });
});

describe("it stops", () => {
  test("before the Job when a Secret is missing", () => {
    const { status, stderr, asked } = deploy([{ to: "get secrets", stdout: "secret/other\n" }]);
    expect(status).toBe(2);
    expect(stderr).toContain("lacks the Secrets activities");
    expect(asked.filter(({ args }) => args.includes(" job "))).toEqual([]);
  });

  test("before any worker is replaced when the Job fails, with its log", () => {
    const { status, stderr, asked } = deploy([
      { to: "get job", stdout: condition("Failed") },
      { to: " logs job/", stdout: "relation does not exist\n" },
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain("relation does not exist");
    expect(asked.filter(({ args }) => args.includes("rollout"))).toEqual([]);
  });

  test("when a rollout fails, with the pods and the way back", () => {
    const { status, stderr } = deploy([
      { to: "rollout status", status: 1, stderr: "exceeded its progress deadline" },
      { to: "get pods", stdout: "activities-1 CrashLoopBackOff\n" },
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain("CrashLoopBackOff");
    expect(stderr).toContain("rollout undo deployment/activities");
  });
});
