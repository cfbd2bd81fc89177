/** What a pod may reach, and who may reach it: the least that the work needs. */

import type { AppliedObject } from "../../kustomize/placed.ts";
import type { Path } from "../../read/documents.ts";
import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import { ofKind, type Report, type Rule, type World } from "../world.ts";
import { isOutbound } from "./outbound.ts";

export const DNS_PORT = 53;
/** NodeLocal DNSCache answers here for kube-dns, on the pod's own node. */
const NODE_DNS = "169.254.20.10/32";
/** AMQP, Postgres and Redis, with and without TLS. */
export const SERVICE_PORTS = [5671, 5672, 5432, 6379, 6380];
/** The broker's management API; it shares 443 with the rest of the world, so it needs an address. */
const MANAGEMENT_PORTS = [443, 15671, 15672];
const ANYWHERE = ["0.0.0.0/0", "::/0"];
/** All of IPv6 that is given out is as good as anywhere. */
const OPEN = [...ANYWHERE, "2000::/3"];
const LINK_LOCAL = ["169.254.0.0/16", "fe80::/10"];

type Direction = "ingress" | "egress";

/** Calls `visit` for each rule of each policy, with the path to it. */
function eachRule(
  world: World,
  direction: Direction,
  visit: (policy: AppliedObject, path: Path) => void,
) {
  for (const policy of ofKind(world, "NetworkPolicy"))
    for (const index of listIn(policy, ["spec", direction]).keys())
      visit(policy, ["spec", direction, index]);
}

const portsOf = (policy: AppliedObject, path: Path) =>
  listIn(policy, [...path, "ports"]).map((_, index) => {
    const at = [...path, "ports", index];
    return { at, port: valueAt(policy, [...at, "port"]) };
  });

/** Whether a peer is the pods of a label in a namespace, and no others. */
function isPods(policy: AppliedObject, peer: Path, namespace: string, label: [string, string]) {
  const inNamespace = mapIn(policy, [...peer, "namespaceSelector", "matchLabels"]);
  const [key, value] = label;
  return (
    inNamespace["kubernetes.io/metadata.name"] === namespace &&
    mapIn(policy, [...peer, "podSelector", "matchLabels"])[key] === value
  );
}

const networkDns: Rule = {
  name: "network-dns",
  reason: "data leaves by port 53 of any server, so names are asked of the cluster's own DNS alone",
  check(world, report) {
    eachRule(world, "egress", (policy, path) => {
      const ports = portsOf(policy, path);
      if (!ports.some(({ port }) => port === DNS_PORT)) return;
      for (const { at, port } of ports)
        if (port !== DNS_PORT)
          report(
            policy.placeOf([...at, "port"]),
            `the NetworkPolicy ${policy.name} opens ${String(port)} beside DNS`,
            "keep names and servers in rules of their own",
          );
      for (const index of listIn(policy, [...path, "to"]).keys()) {
        const peer = [...path, "to", index];
        if (isPods(policy, peer, "kube-system", ["k8s-app", "kube-dns"])) continue;
        if (textIn(policy, [...peer, "ipBlock", "cidr"]) === NODE_DNS) continue;
        const shown = Object.keys(mapIn(policy, peer))[0] ?? "";
        report(
          policy.placeOf([...peer, shown]),
          `the NetworkPolicy ${policy.name} reaches others than the cluster's DNS on port ${DNS_PORT}`,
          "select the namespace kube-system and k8s-app: kube-dns",
        );
      }
    });
  },
};

const networkMetrics: Rule = {
  name: "network-metrics",
  reason: "metrics tell what is done and for how many, and only Prometheus has to know",
  check(world, report) {
    eachRule(world, "ingress", (policy, path) => {
      const peers = listIn(policy, [...path, "from"]);
      if (peers.length === 0)
        report(
          policy.placeOf([...path, "from"]),
          `the NetworkPolicy ${policy.name} lets anyone in`,
          "name who may come in under from:",
        );
      checkPorts(policy, path, report);
      for (const index of peers.keys()) {
        const peer = [...path, "from", index];
        if (isPods(policy, peer, "monitoring", ["app.kubernetes.io/name", "prometheus"])) continue;
        const shown = Object.keys(mapIn(policy, peer))[0] ?? "";
        report(
          policy.placeOf([...peer, shown]),
          `the NetworkPolicy ${policy.name} lets others than Prometheus in`,
          "select the namespace monitoring and app.kubernetes.io/name: prometheus",
        );
      }
    });
  },
};

function checkPorts(policy: AppliedObject, path: Path, report: Report): void {
  if (portsOf(policy, path).length === 0)
    report(
      policy.placeOf(path),
      `the NetworkPolicy ${policy.name} opens every port`,
      "list under ports: the ones that are needed",
    );
  for (const { at } of portsOf(policy, path))
    if (valueAt(policy, [...at, "endPort"]) !== undefined)
      report(
        policy.placeOf([...at, "endPort"]),
        `the NetworkPolicy ${policy.name} opens a range of ports`,
        "list the ports one by one",
      );
}

const networkEgressPorts: Rule = {
  name: "network-egress-ports",
  reason:
    "what breaks in reaches the ports of the broker, Postgres and Redis, and never the cloud's metadata",
  check(world, report) {
    eachRule(world, "egress", (policy, path) => {
      checkPorts(policy, path, report);
      checkLinkLocal(policy, path, report);
      // Its ports are the rule network-outbound's.
      if (isOutbound(policy)) return;
      const open = isOpen(policy, path);
      for (const { at, port } of portsOf(policy, path)) {
        if (port === DNS_PORT || SERVICE_PORTS.includes(Number(port))) continue;
        const isManagement = MANAGEMENT_PORTS.includes(Number(port));
        if (isManagement && !open) continue;
        report(
          policy.placeOf([...at, "port"]),
          `the NetworkPolicy ${policy.name} opens ${String(port)} ${isManagement ? "to anywhere" : "of other servers than ours"}`,
          isManagement
            ? "name the broker's address in the rule's to:"
            : `take it out; the servers' are ${SERVICE_PORTS.join(", ")}`,
        );
      }
    });
  },
};

/** A rule that names no address must at least leave link-local ones out. */
function checkLinkLocal(policy: AppliedObject, path: Path, report: Report): void {
  const peers = listIn(policy, [...path, "to"]);
  if (peers.length === 0)
    report(
      policy.placeOf([...path, "to"]),
      `the NetworkPolicy ${policy.name} reaches every address, link-local ones too`,
      "name addresses under to:",
    );
  for (const index of peers.keys()) {
    const block = [...path, "to", index, "ipBlock"];
    const except = listIn(policy, [...block, "except"]);
    if (!ANYWHERE.includes(textIn(policy, [...block, "cidr"]))) continue;
    if (!LINK_LOCAL.some((range) => except.includes(range)))
      report(
        policy.placeOf([...block, "cidr"]),
        `the NetworkPolicy ${policy.name} reaches link-local addresses, where clouds hand out credentials`,
        `write except: [${LINK_LOCAL[0]}]`,
      );
  }
}

/** Whether a rule lets every address be reached. */
export function isOpen(policy: AppliedObject, path: Path): boolean {
  const peers = listIn(policy, [...path, "to"]);
  const cidr = (index: number) => textIn(policy, [...path, "to", index, "ipBlock", "cidr"]);
  return peers.length === 0 || [...peers.keys()].some((index) => OPEN.includes(cidr(index)));
}

export const NETWORK_RULES: Rule[] = [networkDns, networkMetrics, networkEgressPorts];
