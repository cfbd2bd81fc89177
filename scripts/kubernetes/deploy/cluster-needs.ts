/** What must be in the cluster before a deploy can work: operators, and Secrets. */
import type { SourceObject } from "../read/documents.ts";
import { DeployError, type Kubectl } from "./kubectl.ts";

/** Where each API comes from that is no part of Kubernetes. */
const OPERATORS: Record<string, string> = {
  "keda.sh": "KEDA: https://keda.sh/docs/latest/deploy/",
  "monitoring.coreos.com":
    "the Prometheus Operator: https://prometheus-operator.dev/docs/getting-started/installation/",
  "external-secrets.io":
    "the External Secrets Operator: https://external-secrets.io/latest/introduction/getting-started/ (or leave the component external-secrets out of the overlay, and make the Secrets yourself)",
  "cilium.io":
    "Cilium, as the cluster's network: https://docs.cilium.io/en/stable/ (or leave egress-by-host out of the overlay)",
};

/** @throws {DeployError} `cluster_unfit`, with all that is missing. */
export function expectOperators(run: Kubectl, objects: SourceObject[]): void {
  const groups = new Set(objects.map(({ apiVersion }) => apiVersion.split("/")[0] ?? ""));
  const missing = Object.entries(OPERATORS).filter(
    ([group]) =>
      groups.has(group) &&
      run(["api-resources", `--api-group=${group}`, "-o", "name"]).stdout.trim() === "",
  );
  if (missing.length > 0)
    throw new DeployError(
      "cluster_unfit",
      `The cluster lacks what the manifests use. Install:\n${missing.map(([, from]) => `  ${from}`).join("\n")}`,
    );
}

/** Names of the Secrets that pods and KEDA's authentication read, in order. */
export function secretsOf(objects: SourceObject[]): string[] {
  const names = new Set<string>();
  const visit = (value: unknown, key: string) => {
    if (Array.isArray(value)) for (const item of value) visit(item, key);
    else if (typeof value === "object" && value !== null) {
      const { name } = value as { name?: unknown };
      if (SECRET_REFERENCES.has(key) && typeof name === "string") names.add(name);
      for (const [member, inner] of Object.entries(value)) visit(inner, member);
    }
  };
  for (const { value } of objects) visit(value, "");
  return [...names].sort();
}
const SECRET_REFERENCES = new Set(["secretRef", "secretKeyRef", "secretTargetRef"]);

/** @throws {DeployError} `cluster_unfit` */
export function expectSecrets(run: Kubectl, namespace: string, objects: SourceObject[]): void {
  if (objects.some(({ kind }) => kind === "ExternalSecret"))
    run([
      "-n",
      namespace,
      "wait",
      "--for=condition=Ready",
      "externalsecrets.external-secrets.io",
      "--all",
      "--timeout=120s",
    ]);
  const there = run(["-n", namespace, "get", "secrets", "-o", "name"]).stdout.split("\n");
  const missing = secretsOf(objects).filter((name) => !there.includes(`secret/${name}`));
  if (missing.length > 0)
    throw new DeployError(
      "cluster_unfit",
      `The namespace ${namespace} lacks the Secrets ${missing.join(", ")}. Make them as manifests/addons/secrets.template.yaml says; then deploy again.`,
    );
}
