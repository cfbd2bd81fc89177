/** `make stop-all` and `make resume`: what they ask of the cluster, and what they say. */
import { expect, test } from "vitest";
import { type Answer, runWithKubectl } from "./deploy/testing/fake-kubectl.ts";

const scaledObjects = (annotations: Record<string, string>) =>
  JSON.stringify({
    items: ["activities", "analytics"].map((name) => ({ metadata: { name, annotations } })),
  });
const PAUSED = scaledObjects({ "autoscaling.keda.sh/paused-replicas": "0" });

const GOOD: Answer[] = [
  { to: "^config current-context", stdout: "tl-engine-staging\n" },
  { to: "get scaledobjects.keda.sh -o json", stdout: PAUSED },
];
const run = (args: string[], answers: Answer[]) =>
  runWithKubectl(["scripts/kubernetes/stop-all.ts", ...args], [...answers, ...GOOD], {
    ENV: "staging",
  });
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);
const changes = (asked: { args: string }[]) =>
  asked.map(({ args }) => args).filter((args) => / (annotate|scale) /.test(args));

const IN = "--context=tl-engine-staging -n tl-engine-staging";
const WORKERS = "app.kubernetes.io/part-of=tl-engine,app.kubernetes.io/component=worker";

test("stop-all pauses every ScaledObject at zero, then takes the pods away itself", () => {
  const { status, stdout, stderr, asked } = run([], []);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(changes(asked)).toEqual([
    `${IN} annotate scaledobjects.keda.sh --all --overwrite autoscaling.keda.sh/paused-replicas=0`,
    `${IN} scale deployments.apps -l ${WORKERS} --replicas=0`,
  ]);
  expect(stdout).toContain(`kubectl ${IN} get scaledobjects,deployments,pods`);
  expect(lastLine(stdout)).toBe(
    "stop-all: env=staging context=tl-engine-staging paused=2 pods_left=0",
  );
});

test("stop-all fails, and names them, when pods are left", () => {
  const { status, stdout } = run([], [{ to: "get pods", stdout: "pod/activities-1\n" }]);
  expect(status).toBe(1);
  expect(stdout).toContain("still there: pod/activities-1");
  expect(lastLine(stdout)).toContain("pods_left=1");
});

test("without KEDA the pods go all the same, and it says that nothing holds them at zero", () => {
  const { status, stderr, asked } = run(
    [],
    [{ to: " annotate ", status: 1, stderr: "the server doesn't have a resource type" }],
  );
  expect(status).toBe(1);
  expect(stderr).toContain("NOT paused");
  expect(changes(asked).at(-1)).toContain("--replicas=0");
});

test("resume takes its own annotation away and leaves the replicas to KEDA", () => {
  const { status, stdout, asked } = run(["resume"], []);
  expect(status).toBe(0);
  expect(changes(asked)).toEqual([
    `${IN} annotate scaledobjects.keda.sh --all autoscaling.keda.sh/paused-replicas-`,
  ]);
  expect(lastLine(stdout)).toBe("resume: env=staging context=tl-engine-staging resumed=2");
});

test("both refuse a context that is not the environment's", () => {
  for (const args of [[], ["resume"]]) {
    const { status, stderr, asked } = run(args, [{ to: "^config", stdout: "tl-engine-dev\n" }]);
    expect(status).toBe(2);
    expect(stderr).toContain("the context tl-engine-dev");
    expect(changes(asked)).toEqual([]);
  }
});

test("without kubectl it says what to install", () => {
  const { status, stderr } = runWithKubectl(["scripts/kubernetes/stop-all.ts"], [], {
    PATH: "/nonexistent",
  });
  expect(status).toBe(2);
  expect(stderr).toContain("https://kubernetes.io/docs/tasks/tools/");
});
