/** What a pod says of itself: probes, resources, the port that is its own, and how a node may be drained of it. */
import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import {
  eachContainer,
  find,
  ofKind,
  type Pod,
  podsOf,
  type Report,
  type Rule,
  selects,
  settingOf,
  titleOf,
} from "../world.ts";

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

export const POD_RULES: Rule[] = [probes, resources, disruptionBudget, internalPort];
