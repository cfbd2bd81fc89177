import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import { eachContainer, find, ofKind, podsOf, type Rule, titleOf } from "../world.ts";

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

export const POD_SECURITY_RULES: Rule[] = [
  restricted,
  readOnlyRoot,
  noToken,
  defaultDeny,
  namespaceSecurity,
];
