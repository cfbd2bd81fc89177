/** The reader of kustomizations against `kubectl kustomize`, and the lines that it keeps. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { REPOSITORY } from "../../repository.ts";
import { readObjects } from "../read/documents.ts";
import { compose } from "./compose.ts";
import { filesOf, repositoryFiles } from "./files.ts";

const byName = (objects: { kind: string; value: Record<string, unknown> }[]) =>
  Object.fromEntries(
    objects.map(({ kind, value }) => {
      const { namespace = "", name } = value.metadata as Record<string, string>;
      return [`${kind} ${namespace}/${name}`, value];
    }),
  );

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;

describe.each(["keda", "manifests/overlays/dev", "manifests/overlays/staging"])("%s", (folder) => {
  test.skipIf(!hasKubectl)(
    "is what kubectl makes of it (skipped where there is no kubectl)",
    () => {
      const kubectl = spawnSync("kubectl", ["kustomize", join(REPOSITORY, folder)], {
        encoding: "utf8",
      });
      expect(kubectl.stderr).toBe("");
      const ours = compose(repositoryFiles(), folder);
      expect(ours.problems).toEqual([]);
      expect(byName(ours.objects)).toEqual(byName(readObjects("kubectl", kubectl.stdout).objects));
    },
  );
});

test.skipIf(!hasKubectl).each(["dev", "staging"])(
  "%s with the hosts of its servers is what kubectl makes of it (skipped where there is no kubectl)",
  (environment) => {
    const overlay = `manifests/overlays/${environment}`;
    const folder = mkdtempSync(join(tmpdir(), "tl-engine-kustomize-"));
    try {
      for (const path of ["keda", "manifests"])
        cpSync(join(REPOSITORY, path), join(folder, path), { recursive: true });
      const file = join(folder, overlay, "kustomization.yaml");
      const listed = readFileSync(file, "utf8").replace(
        /(components:\n(?: +.*\n)+)/,
        "$1  - egress-by-host\n",
      );
      writeFileSync(file, listed);
      const kubectl = spawnSync("kubectl", ["kustomize", dirname(file)], { encoding: "utf8" });
      expect(kubectl.stderr).toBe("");
      const ours = compose(repositoryFiles(), overlay, ["egress-by-host"]);
      expect(ours.problems).toEqual([]);
      expect(byName(ours.objects)).toEqual(byName(readObjects("kubectl", kubectl.stdout).objects));
      expect(ours.objects.filter(({ kind }) => kind === "CiliumNetworkPolicy")).toHaveLength(4);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

const POD = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
spec:
  template:
    spec:
      containers:
        - name: worker
          image: x/a
          args: [one]
          env:
            - name: A
              value: "1"
`;
const kustomization = (text: string) =>
  `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${text}`;
const composed = (files: Record<string, string>, folder = "top") =>
  compose(filesOf(new Map(Object.entries(files))), folder);

/** What selects pods: labels with includeSelectors reach what is there, and make only what a kind can't do without. */
const SELECTORS = `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: a }
spec: { selector: { matchLabels: { app: here } } }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: b }
spec: { maxUnavailable: 1 }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: a }
spec:
  podSelector: { matchLabels: { app: here } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: here } } }, { podSelector: {} }] }]
  egress: [{ to: [{ podSelector: { matchLabels: { app: here } } }] }, { ports: [{ port: 1 }] }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: b }
spec: { podSelector: {} }
---
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { ports: [{ port: 1 }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: a }
spec: { template: { spec: { restartPolicy: Never } } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: a }
spec:
  jobTemplate:
    spec:
      selector: { matchLabels: { app: here } }
      template: { spec: { restartPolicy: Never } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: c }
spec:
  template:
    spec:
      topologySpreadConstraints:
        - { topologyKey: one, labelSelector: { matchLabels: { app: here } } }
        - { topologyKey: two, labelSelector: {} }
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - { topologyKey: one, labelSelector: { matchLabels: { app: here } } }
      containers: [{ name: worker, image: "x/b:1" }, { name: one, image: x/c }, { name: two, image: "x/d:1" }]
`;

/** What the reader knows and the manifests don't use now. */
const FEATURES: Record<string, string> = {
  "base/kustomization.yaml": kustomization(`resources: [pods.yaml, selectors.yaml]
configMapGenerator:
  - name: settings
    envs: [settings.env]
  - name: plain
    literals: [A=1, 'B="two words"']
    options: { disableNameSuffixHash: true }
  - name: files
    files: [list.json, other.json=settings.env]
labels:
  - pairs: { team: engine }
    includeTemplates: true
  - pairs: { app: there }
    includeSelectors: true
`),
  "base/selectors.yaml": SELECTORS,
  "base/list.json": '[{ "a": "<&>" }]\n',
  "base/settings.env": "# none\nA=1\nB=<&>\nC=x=y\n",
  "base/pods.yaml": `${POD}          envFrom: [{ configMapRef: { name: settings } }]
          ports: [{ containerPort: 1, name: one }]
          volumeMounts: [{ mountPath: /a, name: a }]
      volumes: [{ name: a, configMap: { name: settings } }, { name: c, configMap: { name: files } }]
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: gone
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: a
spec:
  triggers: [{ type: one }, { type: two }]
  scaleTargetRef: { name: a }
`,
  "part/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: { kind: ScaledObject, labelSelector: team=engine }
    patch: |-
      apiVersion: keda.sh/v1alpha1
      kind: ScaledObject
      metadata:
        name: any
      spec:
        triggers: [{ type: three }]
        scaleTargetRef: null
`,
  "top/kustomization.yaml": kustomization(`resources: [../base]
components: [../part]
namespace: there
configMapGenerator:
  - name: settings
    behavior: replace
    literals: [Z=1]
patches:
  - path: patch.yaml
  - target: { kind: Deployment, name: "a|b" }
    patch: |-
      - op: add
        path: /spec/template/spec/containers/0/args/-
        value: last
      - op: add
        path: /metadata/annotations
        value: { a/b: c }
      - op: test
        path: /metadata/annotations/a~1b
        value: c
images:
  - name: x/a
    newName: y.example/z
    digest: sha256:${"0".repeat(64)}
  - name: x/b
    newTag: "2"
    digest: sha256:${"1".repeat(64)}
  - name: x/c
    newName: y.example/c
    newTag: "2"
    digest: sha256:${"1".repeat(64)}
  - name: x/d
    newName: y.example/d
`),
  "top/patch.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
spec:
  template:
    spec:
      containers:
        - name: worker
          env:
            - name: A
              value: "3"
            - name: B
              value: "4"
          ports:
            - containerPort: 1
              name: two
            - containerPort: 2
          volumeMounts:
            - mountPath: /b
              name: b
        - name: second
          image: w:1
      volumes:
        - name: b
          emptyDir: {}
---
$patch: delete
apiVersion: v1
kind: ServiceAccount
metadata:
  name: gone
`,
};

test.skipIf(!hasKubectl)(
  "so is what the manifests don't use (skipped where there is no kubectl)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "tl-engine-kustomize-"));
    try {
      for (const [path, text] of Object.entries(FEATURES)) {
        mkdirSync(join(folder, path, ".."), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const kubectl = spawnSync("kubectl", ["kustomize", join(folder, "top")], {
        encoding: "utf8",
      });
      expect(kubectl.stderr).toBe("");
      const ours = composed(FEATURES);
      expect(ours.problems).toEqual([]);
      expect(byName(ours.objects)).toEqual(byName(readObjects("kubectl", kubectl.stdout).objects));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("a strategic merge keeps both files' lines", () => {
  const { objects, problems } = composed({
    "base/kustomization.yaml": kustomization("resources: [pod.yaml]\n"),
    "base/pod.yaml": POD,
    "top/kustomization.yaml": kustomization(
      "resources: [../base]\npatches:\n  - path: patch.yaml\n",
    ),
    "top/patch.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
spec:
  template:
    spec:
      containers:
        - name: worker
          args: [two]
          env:
            - name: B
              value: "2"
`,
  });
  expect(problems).toEqual([]);
  const container = ["spec", "template", "spec", "containers", 0];
  expect(objects[0]?.value).toMatchObject({
    spec: {
      template: {
        spec: {
          containers: [
            {
              image: "x/a",
              args: ["two"],
              env: [
                { name: "B", value: "2" },
                { name: "A", value: "1" },
              ],
            },
          ],
        },
      },
    },
  });
  expect(objects[0]?.placeOf([...container, "args"])).toEqual({ file: "top/patch.yaml", line: 10 });
  expect(objects[0]?.placeOf([...container, "env", 1])).toEqual({
    file: "base/pod.yaml",
    line: 13,
  });
});

test("an inline JSON6902 patch and an image's tag have the kustomization's lines", () => {
  const { objects, problems } = composed({
    "top/pod.yaml": POD,
    "top/kustomization.yaml": kustomization(`resources: [pod.yaml]
patches:
  - target:
      kind: Deployment
    patch: |-
      - op: add
        path: /spec/replicas
        value: 2
images:
  - name: x/a
    newTag: "3"
    digest: sha256:${"0".repeat(64)}
`),
  });
  expect(problems).toEqual([]);
  const file = "top/kustomization.yaml";
  expect(objects[0]?.placeOf(["spec", "replicas"])).toEqual({ file, line: 10 });
  const image = ["spec", "template", "spec", "containers", 0, "image"];
  expect(objects[0]?.placeOf(image)).toEqual({ file, line: 13 });
  expect(objects[0]?.value).toMatchObject({
    spec: {
      replicas: 2,
      template: { spec: { containers: [{ image: `x/a:3@sha256:${"0".repeat(64)}` }] } },
    },
  });
});

test.each([
  ["namePrefix: x-\n", "top/kustomization.yaml", 3, /namePrefix is not known/],
  ["resources: [none.yaml]\n", "top/kustomization.yaml", 3, /none\.yaml does not exist/],
  ["resources: [pod.yaml, pod.yaml]\n", "top/pod.yaml", 1, /already there/],
  [
    "resources: [pod.yaml]\npatches:\n  - target: { kind: Job }\n    patch: |-\n      - op: remove\n        path: /spec\n",
    "top/kustomization.yaml",
    5,
    /meets no object/,
  ],
  [
    "resources: [pod.yaml]\npatches:\n  - target: { kind: Deployment }\n    patch: |-\n      - op: remove\n        path: /spec/none\n",
    "top/kustomization.yaml",
    7,
    /nothing at this path/,
  ],
])("what can't be applied is told: %j", (text, file, line, message) => {
  const { problems } = composed({
    "top/pod.yaml": POD,
    "top/kustomization.yaml": kustomization(text),
  });
  expect(problems).toEqual([
    expect.objectContaining({ file, line, message: expect.stringMatching(message) }),
  ]);
});
