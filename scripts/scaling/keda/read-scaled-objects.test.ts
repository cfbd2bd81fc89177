/** ScaledObjects in YAML: defaults, look-ups, and each refusal with its line. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readObjects } from "../../kubernetes/read/documents.ts";
import { parseScaledObjects, readScaledObjects } from "./read-scaled-objects.ts";
import { credentialsOf, PLACEHOLDER_CREDENTIALS } from "./trigger-authentication.ts";

const HEAD = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: activities
`;
const TARGET = `spec:
  scaleTargetRef:
    name: activities
`;
const TRIGGERS = `  triggers:
    - type: rabbitmq
      metadata:
        queueName: engine.activities
        protocol: http
        mode: QueueLength
        value: "100"
      authenticationRef:
        name: rabbitmq
`;
const AUTHENTICATION = `---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: rabbitmq
spec:
  secretTargetRef:
    - parameter: host
      name: keda-rabbitmq
      key: host
`;

function parse(...texts: string[]) {
  const { objects, problems } = readObjects("keda/a.yaml", texts.join(""));
  return parseScaledObjects(objects, PLACEHOLDER_CREDENTIALS, problems);
}

test("every default is KEDA's", () => {
  const { scaledObjects, problems } = parse(HEAD, TARGET, TRIGGERS, AUTHENTICATION);
  expect(problems).toEqual([]);
  const [{ source, ...parsed } = { source: undefined }] = scaledObjects;
  expect(source?.file).toBe("keda/a.yaml");
  expect(parsed).toEqual({
    name: "activities",
    target: "activities",
    pollingIntervalS: 30,
    cooldownPeriodS: 300,
    initialCooldownPeriodS: 0,
    minReplicaCount: 0,
    maxReplicaCount: 100,
    paused: false,
    pausedScaleIn: false,
    forcedActive: false,
    pausedScaleOut: false,
    triggers: [
      {
        queueName: "engine.activities",
        mode: "QueueLength",
        value: 100,
        activationValue: 0,
        protocol: "http",
        host: "https://user:placeholder@broker.invalid/%2Fengine",
        useRegex: false,
        operation: "sum",
        pageSize: 100,
        excludeUnacknowledged: false,
        timeoutMs: 3_000,
        unsafeSsl: false,
      },
    ],
  });
});

test("every field is taken", () => {
  const spec = `${TARGET}  pollingInterval: 10
  cooldownPeriod: 120
  initialCooldownPeriod: 60
  minReplicaCount: 2
  maxReplicaCount: 8
  idleReplicaCount: 0
  fallback: { failureThreshold: 3, replicas: 4 }
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp: { policies: [{ type: Pods, value: 2, periodSeconds: 30 }] }
        scaleDown: null
`;
  const { scaledObjects, problems } = parse(HEAD, spec, TRIGGERS, AUTHENTICATION);
  expect(problems).toEqual([]);
  expect(scaledObjects[0]).toMatchObject({
    pollingIntervalS: 10,
    cooldownPeriodS: 120,
    initialCooldownPeriodS: 60,
    minReplicaCount: 2,
    maxReplicaCount: 8,
    idleReplicaCount: 0,
    fallback: { failureThreshold: 3, replicas: 4 },
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        policies: [{ type: "Pods", value: 2, periodSeconds: 30 }],
      },
      scaleDown: { stabilizationWindowSeconds: 300 },
    },
  });
});

const POLICY = "{ type: Pods, value: 1, periodSeconds: 15 }";
const inHpa = (text: string) => `  advanced:\n    horizontalPodAutoscalerConfig:\n      ${text}\n`;
const inBehavior = (rules: string) =>
  `  advanced:\n    horizontalPodAutoscalerConfig:\n      behavior:\n        scaleUp: ${rules}\n`;

test.each([
  ["an unknown field", "  maxReplicas: 5\n", 8, "spec has no field maxReplicas"],
  ["a text for a number", '  maxReplicaCount: "5"\n', 8, 'must be of type number, unlike "5"'],
  ["max 0", "  maxReplicaCount: 0\n", 8, "spec.maxReplicaCount must be at least 1"],
  ["min > max", "  minReplicaCount: 9\n  maxReplicaCount: 5\n", 8, "must not be greater"],
  ["a negative min", "  minReplicaCount: -1\n", 8, "at least 0"],
  ["polling never", "  pollingInterval: 0\n", 8, "at least 1"],
  ["idle that is not 0", "  idleReplicaCount: 1\n  minReplicaCount: 2\n", 8, "must be 0"],
  ["idle without a minimum", "  idleReplicaCount: 0\n", 8, "must be less than minReplicaCount 0"],
  ["an HPA's name too long", inHpa(`name: ${"h".repeat(64)}`), 10, "has 64 characters"],
  ["half a fallback", "  fallback: { replicas: 3 }\n", 8, "failureThreshold is missing"],
  ["a window too long", inBehavior("{ stabilizationWindowSeconds: 3601 }"), 11, "at most 3600"],
  ["an unknown policy", inBehavior(`{ selectPolicy: Average }`), 11, "Max or Min or Disabled"],
  ["no policies", inBehavior("{ policies: [] }"), 11, "at least 1"],
  [
    "a period too long",
    inBehavior(`{ policies: [${POLICY.replace("15", "1801")}] }`),
    11,
    "at most 1800",
  ],
  [
    "scalingModifiers",
    "  advanced: { scalingModifiers: { formula: a } }\n",
    8,
    "not known to these",
  ],
])("%s is told with its line", (_, field, line, message) => {
  const { scaledObjects, problems } = parse(HEAD, TARGET, field, TRIGGERS, AUTHENTICATION);
  expect(scaledObjects).toEqual([]);
  expect(problems).toEqual([
    expect.objectContaining({
      file: "keda/a.yaml",
      line,
      message: expect.stringContaining(message),
    }),
  ]);
});

test.each([
  ["kind: StatefulSet", TARGET.replace("name:", "kind: StatefulSet\n    name:"), "StatefulSet"],
  ["no target", "spec:\n", "scaleTargetRef is missing"],
])("a target that is none: %s", (_, target, message) => {
  const { problems } = parse(HEAD, target, TRIGGERS, AUTHENTICATION);
  expect(problems[0]?.message).toContain(message);
});

test("no triggers", () => {
  expect(parse(HEAD, TARGET, "  triggers: []\n").problems[0]?.message).toContain("at least 1");
});

test.each([
  ["another type", "type: rabbitmq", "type: cron", "a trigger of type cron"],
  ["an unquoted number", 'value: "100"', "value: 100", "must be of type text, unlike 100"],
  ["no authentication", "name: rabbitmq", "name: other", "there is no TriggerAuthentication other"],
  [
    "Utilization",
    "type: rabbitmq",
    "type: rabbitmq\n      metricType: Utilization",
    "cpu and memory",
  ],
  ["Value", "type: rabbitmq", "type: rabbitmq\n      metricType: Value", "metricType Value"],
  ["a wrong mode", "mode: QueueLength", "mode: Length", 'mode is "Length"'],
])("a trigger with %s", (_, before, after, message) => {
  const { scaledObjects, problems } = parse(
    HEAD,
    TARGET,
    TRIGGERS.replace(before, after),
    AUTHENTICATION,
  );
  expect(scaledObjects).toEqual([]);
  expect(problems.map((problem) => problem.message).join()).toContain(message);
});

test("a fault of a trigger's metadata stands at its line", () => {
  const triggers = TRIGGERS.replace('"100"', '"many"');
  const { problems } = parse(HEAD, TARGET, triggers, AUTHENTICATION);
  expect(problems).toEqual([
    {
      file: "keda/a.yaml",
      line: 14,
      rule: "keda-trigger",
      message: 'value is "many", which KEDA can\'t read as a number',
      fix: "write a number",
    },
  ]);
});

test("a name with 54 characters is the longest", () => {
  const named = (length: number) =>
    parse(HEAD.replace("activities", "a".repeat(length)), TARGET, TRIGGERS, AUTHENTICATION);
  expect(named(54).problems).toEqual([]);
  expect(named(55).problems[0]).toMatchObject({ rule: "keda-name", line: 4 });
});

test("two ScaledObjects for one Deployment", () => {
  const other = HEAD.replace("activities", "other");
  const { problems } = parse(
    HEAD,
    TARGET,
    TRIGGERS,
    "---\n",
    other,
    TARGET,
    TRIGGERS,
    AUTHENTICATION,
  );
  expect(problems[0]?.message).toContain("already managed by the ScaledObject activities");
});

test("trigger names are unique", () => {
  const twice = TRIGGERS.replace("type: rabbitmq", "type: rabbitmq\n      name: a");
  const { problems } = parse(
    HEAD,
    TARGET,
    twice,
    twice.replace("  triggers:\n", ""),
    AUTHENTICATION,
  );
  expect(problems[0]?.message).toContain("must be unique");
});

test.each([
  ['paused: "true"', { paused: true }],
  ['paused: "false"', { paused: false }],
  ['paused: "maybe"', { paused: true }],
  ['paused-replicas: "0"', { pausedReplicas: 0 }],
  ['paused-scale-in: "true"', { pausedScaleIn: true, pausedScaleOut: false }],
  ['paused-scale-out: "true"', { pausedScaleIn: false, pausedScaleOut: true }],
])("the annotation %s", (annotation, expected) => {
  const head = `${HEAD}  annotations:\n    autoscaling.keda.sh/${annotation}\n`;
  expect(parse(head, TARGET, TRIGGERS, AUTHENTICATION).scaledObjects[0]).toMatchObject(expected);
});

test.each(['paused-replicas: "some"', "paused: true"])("a bad annotation: %s", (annotation) => {
  const head = `${HEAD}  annotations:\n    autoscaling.keda.sh/${annotation}\n`;
  const { problems } = parse(head, TARGET, TRIGGERS, AUTHENTICATION);
  expect(problems).toEqual([expect.objectContaining({ line: 6 })]);
});

test("files are read, and what is wrong with their YAML is told too", () => {
  const folder = mkdtempSync(join(tmpdir(), "keda-"));
  const good = join(folder, "activities.yaml");
  const bad = join(folder, "bad.yaml");
  writeFileSync(good, HEAD + TARGET + TRIGGERS + AUTHENTICATION);
  writeFileSync(bad, "a: [");
  const host = "http://guest:guest@127.0.0.1:15672/%2Fengine";
  const { scaledObjects, problems } = readScaledObjects([good, bad], credentialsOf(host));
  rmSync(folder, { recursive: true });
  expect(scaledObjects[0]?.triggers[0]?.host).toBe(host);
  expect(problems).toContainEqual(expect.objectContaining({ file: bad, rule: "yaml" }));
});

test.each([
  ["secretTargetRef: [null]", "secretTargetRef.0"],
  ["secretTargetRef: [{ parameter: host, name: s }]", "secretTargetRef.0.key"],
  ["env: text", "env"],
])("a TriggerAuthentication with %s is told", (line, place) => {
  const bad = `${AUTHENTICATION.slice(0, AUTHENTICATION.indexOf("  secretTargetRef"))}  ${line}\n`;
  expect(parse(HEAD, TARGET, TRIGGERS, bad).problems).toEqual([
    expect.objectContaining({
      rule: "keda-authentication",
      line: 16,
      message: expect.stringContaining(`${place}: `),
    }),
  ]);
});

test.each(["spec: &it\n  scaleTargetRef: *it\n", "spec: 2020-01-01\n", "spec: [1]\n"])(
  "nonsense is told, not thrown: %j",
  (spec) => {
    expect(parse(HEAD, spec).problems).not.toEqual([]);
  },
);

test("a longer name with an HPA's name of its own, tolerance, and a written minimum beside idle", () => {
  const long = HEAD.replace("activities", "a".repeat(63));
  const spec = `${TARGET}  minReplicaCount: 0
  idleReplicaCount: 0
${inHpa("name: short")}      behavior: { scaleUp: { tolerance: 50m }, scaleDown: { tolerance: 0.2 } }
`;
  const { scaledObjects, problems } = parse(long, spec, TRIGGERS, AUTHENTICATION);
  expect(problems).toEqual([]);
  expect(scaledObjects[0]?.behavior).toMatchObject({
    scaleUp: { tolerance: 0.05 },
    scaleDown: { tolerance: 0.2 },
  });
});

test("two ScaledObjects with one HPA, and an HPA of one's own on the Deployment", () => {
  const other = `---\n${HEAD.replace("name: activities", "name: other")}${TARGET.replace("name: activities", "name: other")}`;
  const named = inHpa("name: keda-hpa-activities");
  expect(parse(HEAD, TARGET, TRIGGERS, other, named, TRIGGERS, AUTHENTICATION).problems).toEqual([
    expect.objectContaining({
      rule: "keda-name",
      message: expect.stringContaining("already that of the ScaledObject activities"),
    }),
  ]);
  const hpa = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: by-hand
spec:
  scaleTargetRef: { kind: Deployment, name: activities }
`;
  expect(parse(HEAD, TARGET, TRIGGERS, AUTHENTICATION, hpa).problems).toEqual([
    expect.objectContaining({ rule: "keda-target", message: expect.stringContaining("by-hand") }),
  ]);
});

test("of a parameter that a Secret, a ConfigMap and the environment give, the Secret's counts", () => {
  const reference = (kind: string) =>
    `  ${kind}:\n    - { parameter: host, name: from-${kind}, key: host }\n`;
  const authentication = `${AUTHENTICATION.split("  secretTargetRef")[0]}${reference("secretTargetRef")}${reference("configMapTargetRef")}  env:\n    - { parameter: host, name: HOST }\n`;
  const { objects } = readObjects("keda/a.yaml", [HEAD, TARGET, TRIGGERS, authentication].join(""));
  const { scaledObjects } = parseScaledObjects(objects, {
    secret: ({ name }) => `http://${name}`,
    environment: () => "http://environment",
  });
  expect(scaledObjects[0]?.triggers[0]?.host).toBe("http://from-secretTargetRef");
});
