/** Pods that can't do harm, say how they are, and take no more than they state. */
import type { Path } from "../../kubernetes/documents.ts";
import {
  containersOf,
  find,
  listIn,
  mapIn,
  ofKind,
  type Pod,
  podsOf,
  type Report,
  type Rule,
  selects,
  settingOf,
  textIn,
  valueAt,
  type World,
} from "../world.ts";

const titleOf = ({ object }: Pod) => `${object.kind} ${object.name}`;

/** Calls `visit` for each container of each pod. */
function eachContainer(world: World, visit: (pod: Pod, path: Path, title: string) => void) {
  for (const pod of podsOf(world))
    for (const path of containersOf(pod))
      visit(pod, path, `${textIn(pod.object, [...path, "name"])} of ${titleOf(pod)}`);
}

const imagePinned: Rule = {
  name: "image-pinned",
  reason: "git says what runs, and a node that pulls again gets the same",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      const image = textIn(object, [...path, "image"]);
      const tag = /:([^/:@]+)$/.exec(image.split("@")[0] ?? "")?.[1];
      if (image.includes("@sha256:") || (tag !== undefined && tag !== "latest")) return;
      report(
        object.placeOf([...path, "image"]),
        `${title} runs ${image}, which may be another one tomorrow`,
        "name its version under images: of each overlay",
      );
    });
  },
};

const PROBES = ["startupProbe", "readinessProbe", "livenessProbe"];

const probes: Rule = {
  name: "probes",
  reason:
    "a rollout waits for readiness, a hung process is ended by liveness, and a slow start needs its own patience",
  check(world, report) {
    for (const pod of podsOf(world).filter(({ object }) => object.kind === "Deployment"))
      for (const [index] of listIn(pod.object, [...pod.spec, "containers"]).entries()) {
        const container = [...pod.spec, "containers", index];
        const ports = listIn(pod.object, [...container, "ports"]) as Record<string, unknown>[];
        for (const probe of PROBES) {
          const path = [...container, probe];
          const port = valueAt(pod.object, [...path, "httpGet", "port"]);
          const wanted = probe === "readinessProbe" ? "/readyz" : "/healthz";
          if (valueAt(pod.object, path) === undefined)
            report(
              pod.object.placeOf(container),
              `${titleOf(pod)} has no ${probe}`,
              `add one for ${wanted}`,
            );
          else if (!ports.some((one) => one.name === port || one.containerPort === port))
            report(
              pod.object.placeOf([...path, "httpGet", "port"]),
              `the ${probe} of ${titleOf(pod)} asks the port ${String(port)}, which the container does not have`,
              "name one of its ports",
            );
          else if (textIn(pod.object, [...path, "httpGet", "path"]) !== wanted)
            report(
              pod.object.placeOf([...path, "httpGet", "path"]),
              `the ${probe} of ${titleOf(pod)} asks ${textIn(pod.object, [...path, "httpGet", "path"])}`,
              `ask ${wanted}: an outage makes a worker unready, and a restart mends none`,
            );
        }
      }
  },
};

const resources: Rule = {
  name: "resources",
  reason:
    "without requests the scheduler guesses, without limits one pod takes a node down, and the quota counts both",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      for (const field of ["requests", "limits"])
        for (const resource of ["cpu", "memory"])
          if (valueAt(object, [...path, "resources", field, resource]) === undefined)
            report(
              object.placeOf([...path, "resources", field]),
              `${title} states no ${resource} under ${field}`,
              "state it",
            );
    });
  },
};

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
const restricted: Rule = {
  name: "pod-security-restricted",
  reason:
    "a broken-in worker gets no root, no capability and no new privilege; the namespace refuses it otherwise, but only when a pod is made",
  check(world, report) {
    for (const pod of podsOf(world)) {
      const path = [...pod.spec, "securityContext"];
      if (valueAt(pod.object, [...path, "runAsNonRoot"]) !== true)
        report(
          pod.object.placeOf([...path, "runAsNonRoot"]),
          `${titleOf(pod)} may run as root`,
          "write runAsNonRoot: true",
        );
      if (textIn(pod.object, [...path, "seccompProfile", "type"]) !== "RuntimeDefault")
        report(
          pod.object.placeOf([...path, "seccompProfile"]),
          `${titleOf(pod)} runs without a seccomp profile`,
          "write seccompProfile: { type: RuntimeDefault }",
        );
      for (const field of ["hostNetwork", "hostPID", "hostIPC"])
        if (valueAt(pod.object, [...pod.spec, field]) === true)
          report(
            pod.object.placeOf([...pod.spec, field]),
            `${titleOf(pod)} uses ${field}`,
            "remove it",
          );
    }
    eachContainer(world, ({ object }, path, title) => {
      const context = [...path, "securityContext"];
      if (valueAt(object, [...context, "allowPrivilegeEscalation"]) !== false)
        report(
          object.placeOf([...context, "allowPrivilegeEscalation"]),
          `${title} may gain privileges`,
          "write allowPrivilegeEscalation: false",
        );
      if (!listIn(object, [...context, "capabilities", "drop"]).includes("ALL"))
        report(
          object.placeOf([...context, "capabilities"]),
          `${title} keeps capabilities`,
          "write capabilities: { drop: [ALL] }",
        );
      if (valueAt(object, [...context, "privileged"]) === true)
        report(object.placeOf([...context, "privileged"]), `${title} is privileged`, "remove it");
    });
  },
};

const readOnlyRoot: Rule = {
  name: "read-only-root",
  reason: "what breaks in finds nowhere to write, and a full disk is not ours",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      const field = [...path, "securityContext", "readOnlyRootFilesystem"];
      if (valueAt(object, field) !== true)
        report(
          object.placeOf(field),
          `${title} may write to its root file system`,
          "write readOnlyRootFilesystem: true",
        );
    });
  },
};

const noToken: Rule = {
  name: "no-token",
  reason: "no pod of ours talks to the Kubernetes API, so none needs a key to it",
  check(world, report) {
    const path = ["automountServiceAccountToken"];
    for (const account of ofKind(world, "ServiceAccount"))
      if (valueAt(account, path) !== false)
        report(
          account.placeOf(path),
          `the ServiceAccount ${account.name} gives its token to pods`,
          "write automountServiceAccountToken: false",
        );
    for (const pod of podsOf(world))
      if (valueAt(pod.object, [...pod.spec, ...path]) !== false)
        report(
          pod.object.placeOf([...pod.spec, ...path]),
          `${titleOf(pod)} mounts a token`,
          "write automountServiceAccountToken: false",
        );
  },
};

const disruptionBudget: Rule = {
  name: "disruption-budget",
  reason:
    "minAvailable on a worker that rests at one replica keeps a node from being drained for ever",
  check(world, report) {
    for (const budget of ofKind(world, "PodDisruptionBudget")) {
      if (valueAt(budget, ["spec", "minAvailable"]) !== undefined)
        report(
          budget.placeOf(["spec", "minAvailable"]),
          `the PodDisruptionBudget ${budget.name} has minAvailable`,
          "write maxUnavailable: 1",
        );
      else if (valueAt(budget, ["spec", "maxUnavailable"]) !== 1)
        report(
          budget.placeOf(["spec", "maxUnavailable"]),
          `the PodDisruptionBudget ${budget.name} does not say maxUnavailable: 1`,
          "write it",
        );
    }
  },
};

const internalPort: Rule = {
  name: "internal-port",
  reason: "probes, Prometheus and the NetworkPolicy must mean the port that the worker listens on",
  check(world, report) {
    const port = Number(settingOf(world, "HEALTH_PORT") || 9_090);
    const workers = podsOf(world).filter(({ object }) => object.kind === "Deployment");
    for (const pod of workers) checkPort(pod, port, report);
    for (const monitor of ofKind(world, "PodMonitor"))
      for (const [index, endpoint] of listIn(monitor, ["spec", "podMetricsEndpoints"]).entries()) {
        const { port: name } = endpoint as { port?: unknown };
        const selected = workers.filter(({ labels }) =>
          selects(mapIn(monitor, ["spec", "selector"]), labels),
        );
        const lacking = selected.filter((pod) => !portsOf(pod).some((one) => one.name === name));
        if (lacking.length > 0)
          report(
            monitor.placeOf(["spec", "podMetricsEndpoints", index, "port"]),
            `no port of ${lacking.map(({ object }) => object.name).join(", ")} is called ${String(name)}`,
            "name the container's port: internal",
          );
      }
    const metrics = find(world, "NetworkPolicy", "metrics");
    if (metrics && valueAt(metrics, ["spec", "ingress", 0, "ports", 0, "port"]) !== port)
      report(
        metrics.placeOf(["spec", "ingress", 0, "ports", 0, "port"]),
        `Prometheus may not reach the port ${port}`,
        `write port: ${port}, as HEALTH_PORT has it`,
      );
  },
};

const portsOf = ({ object, spec }: Pod) =>
  listIn(object, [...spec, "containers", 0, "ports"]) as {
    name?: string;
    containerPort?: number;
  }[];

function checkPort(pod: Pod, port: number, report: Report): void {
  const index = portsOf(pod).findIndex(({ name }) => name === "internal");
  const path = [
    ...pod.spec,
    "containers",
    0,
    "ports",
    ...(index < 0 ? [] : [index, "containerPort"]),
  ];
  const given = portsOf(pod)[index]?.containerPort;
  if (given !== port)
    report(
      pod.object.placeOf(path),
      `${titleOf(pod)} ${given === undefined ? "has no port called internal" : `opens ${given} as internal`}, and the worker listens on ${port}`,
      `write containerPort: ${port}`,
    );
}

const defaultDeny: Rule = {
  name: "default-deny",
  reason: "a pod that no policy selects reaches everything and is reached by everyone",
  check(world, report) {
    const denies = ofKind(world, "NetworkPolicy").filter(
      (policy) =>
        Object.keys(mapIn(policy, ["spec", "podSelector"])).length === 0 &&
        ["Ingress", "Egress"].every((type) =>
          listIn(policy, ["spec", "policyTypes"]).includes(type),
        ) &&
        valueAt(policy, ["spec", "ingress"]) === undefined &&
        valueAt(policy, ["spec", "egress"]) === undefined,
    );
    if (denies.length > 0) return;
    const place = find(world, "NetworkPolicy", "default-deny")?.placeOf(["spec"]);
    report(
      place ?? { file: `manifests/overlays/${world.environment}/kustomization.yaml`, line: 1 },
      "no NetworkPolicy denies all that no other allows",
      "add one with podSelector {} and policyTypes [Ingress, Egress]",
    );
  },
};

const namespaceSecurity: Rule = {
  name: "namespace-security",
  reason: "the namespace refuses what this linter never saw: a pod that someone makes by hand",
  check(world, report) {
    for (const object of ofKind(world, "Namespace")) {
      const path = ["metadata", "labels", "pod-security.kubernetes.io/enforce"];
      if (textIn(object, path) !== "restricted")
        report(
          object.placeOf(path),
          `the Namespace ${object.name} does not enforce Pod Security restricted`,
          "label it pod-security.kubernetes.io/enforce: restricted",
        );
    }
  },
};

export const POD_RULES: Rule[] = [
  imagePinned,
  probes,
  resources,
  restricted,
  readOnlyRoot,
  noToken,
  disruptionBudget,
  internalPort,
  defaultDeny,
  namespaceSecurity,
];
