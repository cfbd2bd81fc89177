/** Labels that tell whose an object is: its environment, its release and what put it there. */

import type { AppliedObject } from "../../kustomize/placed.ts";
import type { Path } from "../../read/documents.ts";
import { textIn, valueAt } from "../../read/value-at.ts";
import { containersOf } from "../../read/workload.ts";
import { podsOf, type Report, type Rule, titleOf, type World } from "../world.ts";

const LABEL = "app.kubernetes.io/";
const TOOLS = /\/tl-engine-tools:([^@]+)/;

/** The release that the environment is at: its migrations' and topology's. */
function releaseOf(world: World): string | undefined {
  for (const { object } of podsOf(world))
    for (const path of containersOf(object)) {
      const tag = TOOLS.exec(textIn(object, [...path, "image"]))?.[1];
      if (tag !== undefined) return tag;
    }
  return undefined;
}

function checkLabels(
  object: AppliedObject,
  path: Path,
  title: string,
  wanted: Record<string, string | undefined>,
  report: Report,
): void {
  for (const [name, value] of Object.entries(wanted)) {
    const at = [...path, `${LABEL}${name}`];
    const given = textIn(object, at);
    if (given !== "" && (value === undefined || given === value)) continue;
    report(
      object.placeOf(at),
      `${title} ${given === "" ? `has no label ${LABEL}${name}` : `is labelled ${name}: ${given}`}`,
      `write ${LABEL}${name}: ${value ?? "…"} under labels: of the overlay`,
    );
  }
}

const SELECTORS: Path[] = [
  ["spec", "selector", "matchLabels"],
  ["spec", "podSelector", "matchLabels"],
];

const commonLabels: Rule = {
  name: "common-labels",
  reason:
    "who finds an object knows its environment, its release and what applies it; in a selector they would keep the next release from being applied",
  check(world, report) {
    const ofPods = { instance: world.namespace, "managed-by": "kustomize" };
    const wanted = { ...ofPods, version: releaseOf(world) };
    for (const object of world.objects) {
      const title = `${object.kind} ${object.name}`;
      checkLabels(object, ["metadata", "labels"], title, wanted, report);
      for (const path of SELECTORS)
        for (const name of Object.keys(wanted))
          if (valueAt(object, [...path, `${LABEL}${name}`]) !== undefined)
            report(
              object.placeOf([...path, `${LABEL}${name}`]),
              `${title} selects by ${name}, which a selector must never have`,
              `select by ${LABEL}name`,
            );
    }
    for (const pod of podsOf(world)) {
      const path = [...pod.template, "metadata", "labels"];
      checkLabels(pod.object, path, `the pods of ${titleOf(pod)}`, ofPods, report);
    }
  },
};

export const LABEL_RULES: Rule[] = [commonLabels];
