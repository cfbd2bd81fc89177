/** The door to the internet, for engines that have the guard of shared/outbound: as wide as the guard, and no wider. */
import { INTERNET } from "../../../../shared/outbound/forbidden-ranges.ts";
import type { AppliedObject } from "../../kustomize/placed.ts";
import type { Path } from "../../read/documents.ts";
import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import { ofKind, podsOf, type Report, type Rule, selects, titleOf, type World } from "../world.ts";

/** A pod's label, and the ports that it opens. */
const PORTS_OF_LABEL: Readonly<Record<string, readonly number[]>> = {
  "tl-engine/outbound-https": [443],
  "tl-engine/outbound-http": [80],
  // Mail to a server that takes it over: with TLS from the start, with STARTTLS, and what relays have beside it.
  // Never 25: who breaks in sends no spam.
  "tl-engine/outbound-smtp": [465, 587, 2525],
};
const LABELS = Object.keys(PORTS_OF_LABEL);
const [HTTPS = "", HTTP = ""] = LABELS;
const SELECTOR = ["spec", "podSelector", "matchLabels"];

/** Whether a policy is for the pods of such engines. */
export const isOutbound = (policy: AppliedObject): boolean =>
  Object.keys(mapIn(policy, SELECTOR)).some((label) => LABELS.includes(label));

const networkOutbound: Rule = {
  name: "network-outbound",
  reason:
    "an engine that asks strangers' hosts is the one that will be broken into: it reaches the internet as its guard allows, and nothing private",
  check(world, report) {
    for (const policy of ofKind(world, "NetworkPolicy").filter(isOutbound)) {
      const ports = PORTS_OF_LABEL[Object.keys(mapIn(policy, SELECTOR)).find(isLabel) ?? ""] ?? [];
      for (const index of listIn(policy, ["spec", "egress"]).keys())
        checkDoor(policy, ["spec", "egress", index], ports, report);
    }
    checkPods(world, report);
  },
};

const isLabel = (label: string) => LABELS.includes(label);

function checkDoor(
  policy: AppliedObject,
  path: Path,
  ports: readonly number[],
  report: Report,
): void {
  const title = `the NetworkPolicy ${policy.name}`;
  for (const [index, { cidr, except }] of INTERNET.entries()) {
    const block = [...path, "to", index, "ipBlock"];
    if (textIn(policy, [...block, "cidr"]) !== cidr)
      report(
        policy.placeOf([...block, "cidr"]),
        `${title} opens another block than ${cidr}`,
        `write cidr: ${cidr}, as shared/outbound/forbidden-ranges.ts says`,
      );
    const written = listIn(policy, [...block, "except"]).map(String);
    const missing = except.filter((range) => !written.includes(range));
    const more = written.filter((range) => !except.includes(range));
    if (missing.length + more.length > 0)
      report(
        policy.placeOf([...block, "except"]),
        `${title} and the guard differ: ${[...missing.map((it) => `${it} is open`), ...more.map((it) => `${it} is shut`)].join(", ")}`,
        "list under except: what shared/outbound/forbidden-ranges.ts does",
      );
  }
  const peers = listIn(policy, [...path, "to"]).length;
  if (peers > INTERNET.length)
    report(
      policy.placeOf([...path, "to", INTERNET.length]),
      `${title} reaches more than the internet`,
      "take it out, and patch the engine's own NetworkPolicy with what it reaches besides",
    );
  for (const index of listIn(policy, [...path, "ports"]).keys()) {
    const at = [...path, "ports", index, "port"];
    if (!ports.includes(Number(valueAt(policy, at))))
      report(
        policy.placeOf(at),
        `${title} opens ${String(valueAt(policy, at))}`,
        `write ${ports.join(", ")} alone`,
      );
  }
}

/** Whoever has the label is an engine, gets its door, and has https before http. */
function checkPods(world: World, report: Report): void {
  const names = new Set(world.engines.map(({ name }) => name));
  for (const pod of podsOf(world))
    for (const label of LABELS.filter((it) => pod.labels[it] !== undefined)) {
      const place = pod.object.placeOf([...pod.template, "metadata", "labels", label]);
      if (pod.object.kind !== "Deployment" || !names.has(pod.object.name))
        report(place, `${titleOf(pod)} has ${label} and is no engine`, "take the label out");
      if (label === HTTP && pod.labels[HTTPS] === undefined)
        report(
          place,
          `${titleOf(pod)} reaches http and not https`,
          "list ../../outbound under components: too",
        );
      const isMet = ofKind(world, "NetworkPolicy").some(
        (policy) =>
          isOutbound(policy) && selects(mapIn(policy, ["spec", "podSelector"]), pod.labels),
      );
      if (!isMet)
        report(
          place,
          `no NetworkPolicy opens ${label} to ${titleOf(pod)}`,
          "write open as its value",
        );
    }
}

export const OUTBOUND_RULES: Rule[] = [networkOutbound];
