/** Every engine has all of its parts in the cluster, under the names that the code gives. */
import { basename, dirname } from "node:path/posix";
import { lanesOf } from "../../../../shared/broker/lanes.ts";
import { brokerNames } from "../../../../shared/wire/names.ts";
import { CLUSTER_KINDS } from "../../kustomize/change-objects.ts";
import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import {
  find,
  ofKind,
  podsOf,
  type Rule,
  selects,
  settingOf,
  settingsOf,
  type World,
} from "../world.ts";

const NAME_LABEL = "app.kubernetes.io/name";

const overlay = ({ environment }: World) => ({
  file: `manifests/overlays/${environment}/kustomization.yaml`,
  line: 1,
});

const engineParts: Rule = {
  name: "engine-parts",
  reason:
    "an engine without its Deployment, ScaledObject, NetworkPolicy or PodMonitor does not run, does not scale, reaches nothing or is not seen",
  check(world, report) {
    const pods = podsOf(world);
    for (const { name } of world.engines) {
      for (const kind of ["Deployment", "ScaledObject", "NetworkPolicy", "PodDisruptionBudget"])
        if (!find(world, kind, name))
          report(
            overlay(world),
            `the engine ${name} has no ${kind} called ${name}`,
            kind === "ScaledObject"
              ? `write keda/${name}.yaml and list it in keda/kustomization.yaml`
              : `write manifests/base/engines/${name}/kustomization.yaml, as \`make new-worker\` does, and list ${name} in engines/kustomization.yaml`,
          );
      const pod = pods.find(({ object }) => object.kind === "Deployment" && object.name === name);
      if (!pod) continue;
      const selected = (kind: string, path: string[]) =>
        ofKind(world, kind).some((object) => selects(mapIn(object, path), pod.labels));
      if (!selected("PodMonitor", ["spec", "selector"]))
        report(
          pod.object.placeOf([...pod.template, "metadata", "labels"]),
          `no PodMonitor selects the pods of ${name}`,
          "give them the labels that manifests/base/podmonitor.yaml selects",
        );
      for (const kind of ["NetworkPolicy", "PodDisruptionBudget"]) {
        const own = find(world, kind, name);
        const selector = kind === "NetworkPolicy" ? "podSelector" : "selector";
        if (own && !selects(mapIn(own, ["spec", selector]), pod.labels))
          report(
            own.placeOf(["spec", selector]),
            `the ${kind} ${name} does not select the pods of ${name}`,
            `select ${NAME_LABEL}: ${name}`,
          );
      }
    }
  },
};

const engineNames: Rule = {
  name: "engine-names",
  reason:
    "the engine's name in the code is that of its queue, its image, its Deployment and its ScaledObject: tools and people find one by the other",
  check(world, report) {
    const names = world.engines.map(({ name }) => name);
    for (const object of world.objects) {
      if (!["Deployment", "ScaledObject"].includes(object.kind)) continue;
      const { name } = object;
      const fix = `call it as one of the engines: ${names.join(", ")}`;
      if (!names.includes(name)) {
        report(object.placeOf(["metadata", "name"]), `${object.kind} ${name} is of no engine`, fix);
        continue;
      }
      const named = object.placeOf(["metadata", "name"]);
      if (![basename(named.file, ".yaml"), basename(dirname(named.file))].includes(name))
        report(
          named,
          `${object.kind} ${name} gets its name in ${named.file}`,
          `name it in ${name}.yaml, or in a folder called ${name}`,
        );
      const label = textIn(object, ["metadata", "labels", NAME_LABEL]);
      if (label !== name)
        report(
          object.placeOf(["metadata", "labels", NAME_LABEL]),
          `the label ${NAME_LABEL} of ${object.kind} ${name} is "${label}"`,
          `write ${name}`,
        );
      if (object.kind === "ScaledObject") {
        const target = textIn(object, ["spec", "scaleTargetRef", "name"]);
        if (target !== name)
          report(
            object.placeOf(["spec", "scaleTargetRef", "name"]),
            `the ScaledObject ${name} scales ${target}`,
            `write ${name}`,
          );
        continue;
      }
      const path = ["spec", "template", "spec", "containers", 0, "image"];
      const image = /([^/:@]+)(?::[^/]*)?(?:@.*)?$/.exec(textIn(object, path))?.[1];
      if (image !== `tl-engine-${name}`)
        report(
          object.placeOf(path),
          `the Deployment ${name} runs the image ${image}`,
          `use tl-engine-${name}`,
        );
    }
  },
};

const queueNames: Rule = {
  name: "queue-name",
  reason:
    "KEDA errs for a queue that does not exist, and scales by the wrong one for another engine's",
  check(world, report) {
    const names = brokerNames(settingOf(world, "ENGINE_PREFIX") || undefined);
    for (const object of ofKind(world, "ScaledObject")) {
      const missing = new Set(lanesOf(object.name).map((lane) => names.queue(object.name, lane)));
      const wanted = [...missing].join(" or ");
      for (const index of listIn(object, ["spec", "triggers"]).keys()) {
        const path = ["spec", "triggers", index, "metadata", "queueName"];
        const queue = textIn(object, path);
        if (missing.delete(queue)) continue;
        report(
          object.placeOf(path),
          `${object.name} is scaled by the queue "${queue}"`,
          `write ${wanted}, which the topology declares, each once`,
        );
      }
      for (const queue of missing)
        report(
          object.placeOf(["spec", "triggers"]),
          `${object.name} has no trigger for the queue ${queue}, so that jobs in it alone never wake it`,
          `add a trigger with queueName: ${queue}`,
        );
    }
  },
};

const namespace: Rule = {
  name: "namespace",
  reason:
    "an object in another namespace is out of the quota and the policies, and of the other environment",
  check(world, report) {
    if (world.engines.length > 0 && !find(world, "Namespace", world.namespace))
      report(
        overlay(world),
        `there is no Namespace ${world.namespace}`,
        `set namespace: ${world.namespace}`,
      );
    for (const object of world.objects)
      if (!CLUSTER_KINDS.has(object.kind) && object.namespace !== world.namespace)
        report(
          object.placeOf(["metadata", "namespace"]),
          `${object.kind} ${object.name} is in ${object.namespace}`,
          `set namespace: ${world.namespace}`,
        );
  },
};

const environmentName: Rule = {
  name: "environment-name",
  reason: "each log line says which environment it is of",
  check(world, report) {
    const given = settingOf(world, "ENGINE_ENV");
    if (given !== world.environment)
      report(
        settingsOf(world)?.placeOf(["data", "ENGINE_ENV"]) ?? overlay(world),
        `ENGINE_ENV is "${given}" in the overlay ${world.environment}`,
        `write ENGINE_ENV=${world.environment}`,
      );
  },
};

const deploymentReplicas: Rule = {
  name: "deployment-replicas",
  reason: "replicas in a Deployment that KEDA scales would be set back by every apply",
  check(world, report) {
    for (const object of ofKind(world, "Deployment"))
      if (valueAt(object, ["spec", "replicas"]) !== undefined)
        report(
          object.placeOf(["spec", "replicas"]),
          `the Deployment ${object.name} states replicas`,
          "remove the line: KEDA owns them",
        );
  },
};

const argoReplicas: Rule = {
  name: "argo-replicas",
  reason: "Argo CD would set back the replicas that KEDA and the HPA decide",
  check(world, report) {
    for (const object of ofKind(world, "Application")) {
      const ignored = listIn(object, ["spec", "ignoreDifferences"]) as Record<string, unknown>[];
      const covers = ignored.some(
        (one) =>
          one.kind === "Deployment" &&
          Array.isArray(one.jsonPointers) &&
          one.jsonPointers.includes("/spec/replicas"),
      );
      if (!covers)
        report(
          object.placeOf(["spec", "ignoreDifferences"]),
          `the Application ${object.name} does not ignore /spec/replicas of Deployments`,
          "add group apps, kind Deployment, jsonPointers [/spec/replicas]",
        );
      const options = listIn(object, ["spec", "syncPolicy", "syncOptions"]);
      if (!options.includes("RespectIgnoreDifferences=true"))
        report(
          object.placeOf(["spec", "syncPolicy", "syncOptions"]),
          `the Application ${object.name} sets replicas at each sync all the same`,
          "add the sync option RespectIgnoreDifferences=true",
        );
      const path = textIn(object, ["spec", "source", "path"]);
      const environment = path.split("/").at(-1) ?? "";
      const namespace = textIn(object, ["spec", "destination", "namespace"]);
      if (world.files.read(`${path}/kustomization.yaml`) === undefined)
        report(
          object.placeOf(["spec", "source", "path"]),
          `${path} has no kustomization.yaml`,
          "correct the path",
        );
      else if (namespace !== `tl-engine-${environment}`)
        report(
          object.placeOf(["spec", "destination", "namespace"]),
          `the Application ${object.name} deploys ${path} to ${namespace}`,
          `write tl-engine-${environment}`,
        );
    }
  },
};

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and labels/ */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;

const objectNames: Rule = {
  name: "object-name",
  reason:
    "the API server refuses a name or a label's value that is not of its form, which no schema says",
  check(world, report) {
    for (const object of world.objects) {
      if (object.name.length > 253 || !OBJECT_NAME.test(object.name))
        report(
          object.placeOf(["metadata", "name"]),
          `"${object.name}" can't be the name of a ${object.kind}`,
          "use lower-case letters, digits and hyphens",
        );
      for (const [key, value] of Object.entries(mapIn(object, ["metadata", "labels"])))
        if (!LABEL_VALUE.test(String(value)))
          report(
            object.placeOf(["metadata", "labels", key]),
            `"${String(value)}" can't be a label's value`,
            "use at most 63 letters, digits, hyphens, dots and underscores",
          );
    }
  },
};

export const ENGINE_RULES: Rule[] = [
  engineParts,
  engineNames,
  queueNames,
  objectNames,
  namespace,
  environmentName,
  deploymentReplicas,
  argoReplicas,
];
