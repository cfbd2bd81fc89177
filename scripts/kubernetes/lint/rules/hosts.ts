/** Where Cilium narrows what a pod reaches to hosts: they are named, and nothing else stays open beside them. */

import type { AppliedObject } from "../../kustomize/placed.ts";
import type { Path } from "../../read/documents.ts";
import { listIn, textIn } from "../../read/value-at.ts";
import { ofKind, type Report, type Rule, type World } from "../world.ts";
import { DNS_PORT, isOpen, SERVICE_PORTS } from "./network.ts";
import { isOutbound } from "./outbound.ts";

/** At least a domain that somebody owns: two labels without a wildcard at the end. */
const OWNED = /(^|\.)[a-z0-9-]+\.[a-z0-9-]+$/i;

const networkHosts: Rule = {
  name: "network-hosts",
  reason:
    "a list of hosts narrows something only if each is somebody's, and if no other policy opens the same ports to all addresses",
  check(world, report) {
    const policies = ofKind(world, "CiliumNetworkPolicy");
    if (policies.length === 0) return;
    for (const policy of policies)
      for (const index of listIn(policy, ["spec", "egress"]).keys())
        checkRule(policy, ["spec", "egress", index], report);
    stillOpen(world, report);
  },
};

function checkRule(policy: AppliedObject, path: Path, report: Report): void {
  const ports = listIn(policy, [...path, "toPorts"]).flatMap((_, group) => {
    const list = [...path, "toPorts", group, "ports"];
    return listIn(policy, list).map((_port, index) => [...list, index, "port"]);
  });
  const title = `the CiliumNetworkPolicy ${policy.name}`;
  if (ports.length === 0)
    report(policy.placeOf(path), `${title} opens every port`, "list them under toPorts:");
  const hosts = listIn(policy, [...path, "toFQDNs"]);
  const forNames = ports.some((port) => textIn(policy, port) === String(DNS_PORT));
  if (hosts.length === 0 && !forNames)
    report(
      policy.placeOf([...path, "toFQDNs"]),
      `${title} names no host`,
      "list them under toFQDNs: in the overlay's egress-by-host, or leave the component out",
    );
  for (const port of ports)
    if (!forNames && !SERVICE_PORTS.includes(Number(textIn(policy, port))))
      report(
        policy.placeOf(port),
        `${title} opens ${textIn(policy, port)}, of other servers than ours`,
        `take it out; the servers' are ${SERVICE_PORTS.join(", ")}`,
      );
  for (const index of hosts.keys())
    for (const field of ["matchName", "matchPattern"]) {
      const at = [...path, "toFQDNs", index, field];
      const host = textIn(policy, at);
      if (host !== "" && !OWNED.test(host))
        report(
          policy.placeOf(at),
          `${title} reaches ${host}, which is everybody's`,
          "write the host's name, or a pattern that ends in a domain of its provider",
        );
    }
}

function stillOpen(world: World, report: Report): void {
  // Strangers' hosts can't be listed; network-outbound says who may reach them.
  for (const policy of ofKind(world, "NetworkPolicy").filter((it) => !isOutbound(it)))
    for (const index of listIn(policy, ["spec", "egress"]).keys())
      if (isOpen(policy, ["spec", "egress", index]))
        report(
          policy.placeOf(["spec", "egress", index]),
          `the NetworkPolicy ${policy.name} reaches every address beside the hosts, and policies add up`,
          "label it app.kubernetes.io/component: egress, so that addons/egress-by-host closes it",
        );
}

export const HOST_RULES: Rule[] = [networkHosts];
