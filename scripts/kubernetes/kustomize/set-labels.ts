/** Puts a layer's labels where kustomize does: on an object, on its pods, and into what selects them. */
import type { Path } from "../read/documents.ts";
import { type Layer, placeIn } from "./layer.ts";
import { applied, child, type Placed, put, scalar, textAt } from "./placed.ts";

/** Where the templates stand that `includeTemplates` and `includeSelectors` label too. */
const TEMPLATES: Readonly<Record<string, readonly string[][]>> = {
  Deployment: [["spec", "template"]],
  Job: [["spec", "template"]],
  CronJob: [
    ["spec", "jobTemplate"],
    ["spec", "jobTemplate", "spec", "template"],
  ],
};

const AFFINITIES = ["podAffinity", "podAntiAffinity"].flatMap((affinity) => [
  [
    affinity,
    "preferredDuringSchedulingIgnoredDuringExecution",
    "podAffinityTerm",
    "labelSelector",
    "matchLabels",
  ],
  [affinity, "requiredDuringSchedulingIgnoredDuringExecution", "labelSelector", "matchLabels"],
]);

/** Selectors that are made where they are missing. */
const MADE_SELECTORS: Readonly<Record<string, readonly string[][]>> = {
  Deployment: [["spec", "selector", "matchLabels"]],
  Service: [["spec", "selector"]],
};

/**
 * Selectors that get the labels where they stand; a list on the way means each of its items.
 * https://github.com/kubernetes-sigs/kustomize/blob/master/api/internal/konfig/builtinpluginconsts/commonlabels.go
 */
const SELECTORS: Readonly<Record<string, readonly string[][]>> = {
  Deployment: [
    ["spec", "template", "spec", "topologySpreadConstraints", "labelSelector", "matchLabels"],
    ...AFFINITIES.map((path) => ["spec", "template", "spec", "affinity", ...path]),
  ],
  Job: [["spec", "selector", "matchLabels"]],
  CronJob: [["spec", "jobTemplate", "spec", "selector", "matchLabels"]],
  PodDisruptionBudget: [["spec", "selector", "matchLabels"]],
  NetworkPolicy: [
    ["spec", "podSelector", "matchLabels"],
    ["spec", "ingress", "from", "podSelector", "matchLabels"],
    ["spec", "egress", "to", "podSelector", "matchLabels"],
  ],
};

export function setLabels(layer: Layer, node: Placed): void {
  const kind = textAt(node, ["kind"]);
  for (const [index, labels] of (layer.settings.labels ?? []).entries()) {
    const { pairs, includeTemplates = false, includeSelectors = false } = labels;
    for (const [key, value] of Object.entries(pairs)) {
      const label = scalar(value, placeIn(layer, ["labels", index, "pairs", key]));
      put(node, ["metadata", "labels", key], label);
      if ((includeTemplates || includeSelectors) && applied(node).value.spec)
        for (const path of TEMPLATES[kind] ?? [])
          put(node, [...path, "metadata", "labels", key], label);
      if (!includeSelectors) continue;
      for (const path of MADE_SELECTORS[kind] ?? []) put(node, [...path, key], label);
      for (const path of SELECTORS[kind] ?? [])
        for (const selector of eachAt(node, path)) put(selector, [key], label);
    }
  }
}

/** What stands at a path that leads through each item of the lists on it. */
function eachAt(node: Placed | undefined, path: Path): Placed[] {
  if (node?.kind === "list") return node.items.flatMap((item) => eachAt(item, path));
  const [step, ...rest] = path;
  if (!node || step === undefined) return node ? [node] : [];
  return eachAt(child(node, step), rest);
}
