import type { AppliedObject } from "../../kustomize/placed.ts";
import type { Path } from "../../read/documents.ts";
import { listIn, mapIn, textIn, valueAt } from "../../read/value-at.ts";
import { containersOf } from "../../read/workload.ts";
import { keysOf, secretTemplates, TEMPLATE } from "../secret-templates.ts";
import {
  eachTrigger,
  find,
  ofKind,
  type Pod,
  podsOf,
  type Rule,
  type Source,
  settingsOf,
  type World,
} from "../world.ts";

const SECRET_VARIABLES = ["AMQP_URL", "DATABASE_URL", "REDIS_URL", "RABBITMQ_MANAGEMENT_URL"];
/** Names of the Secrets that will be there: by the operator, else by a person with the template. */
function secretsOf(world: World): string[] {
  const external = ofKind(world, "ExternalSecret").map(
    (object) => textIn(object, ["spec", "target", "name"]) || object.name,
  );
  return external.length > 0 ? external : secretTemplates(world).map(({ name }) => name);
}

const references: Rule = {
  name: "references",
  reason:
    "a pod that names a ConfigMap, Secret, ServiceAccount or PriorityClass that is not there never starts",
  check(world, report) {
    const secrets = secretsOf(world);
    const need = (object: AppliedObject, path: Path, kind: string, name: string) => {
      const there =
        kind === "Secret" ? secrets.includes(name) : find(world, kind, name) !== undefined;
      if (!there)
        report(
          object.placeOf(path),
          `${object.kind} ${object.name} names the ${kind} ${name}, which is not there`,
          kind === "Secret"
            ? "correct the name, or add it to manifests/addons/external-secrets and to secrets.template.yaml"
            : "correct the name, or add it",
        );
    };
    for (const pod of podsOf(world)) checkPod(pod, need);
    const templates = secretTemplates(world);
    for (const object of ofKind(world, "TriggerAuthentication"))
      for (const [index, entry] of listIn(object, ["spec", "secretTargetRef"]).entries()) {
        const { name = "", key = "" } = entry as { name?: string; key?: string };
        const path = ["spec", "secretTargetRef", index];
        need(object, [...path, "name"], "Secret", name);
        const template = templates.find((one) => one.name === name);
        if (template && !keysOf(template).includes(key))
          report(
            object.placeOf([...path, "key"]),
            `the Secret ${name} has no key ${key}`,
            `it has ${keysOf(template).join(", ")} (${TEMPLATE})`,
          );
      }
    eachTrigger(world, (object, at) => {
      const path = [...at, "authenticationRef", "name"];
      const name = textIn(object, path);
      if (name !== "") need(object, path, "TriggerAuthentication", name);
    });
  },
};

function checkPod(
  pod: Pod,
  need: (object: AppliedObject, path: Path, kind: string, name: string) => void,
): void {
  const { object, spec } = pod;
  for (const [field, kind] of [
    ["serviceAccountName", "ServiceAccount"],
    ["priorityClassName", "PriorityClass"],
  ] as const)
    need(object, [...spec, field], kind, textIn(object, [...spec, field]));
  for (const index of listIn(object, [...spec, "volumes"]).keys())
    for (const [field, name, kind] of [
      ["configMap", "name", "ConfigMap"],
      ["secret", "secretName", "Secret"],
    ] as const) {
      const at = [...spec, "volumes", index, field];
      if (valueAt(object, at) !== undefined)
        need(object, [...at, name], kind, textIn(object, [...at, name]));
    }
  for (const path of containersOf(pod.object)) {
    for (const [index, entry] of listIn(object, [...path, "envFrom"]).entries()) {
      const { configMapRef, secretRef } = entry as Source;
      const at = [...path, "envFrom", index];
      if (configMapRef)
        need(object, [...at, "configMapRef", "name"], "ConfigMap", configMapRef.name ?? "");
      if (secretRef) need(object, [...at, "secretRef", "name"], "Secret", secretRef.name ?? "");
    }
    for (const [index] of listIn(object, [...path, "env"]).entries())
      for (const [field, kind] of [
        ["secretKeyRef", "Secret"],
        ["configMapKeyRef", "ConfigMap"],
      ] as const) {
        const at = [...path, "env", index, "valueFrom", field];
        if (valueAt(object, at) !== undefined)
          need(object, [...at, "name"], kind, textIn(object, [...at, "name"]));
      }
  }
}

const PLACEHOLDER = /^[A-Z][A-Z0-9_]*$/;

const secretInGit: Rule = {
  name: "secret-in-git",
  reason: "what was in git once stays there, and everyone who ever cloned it has it",
  check(world, report) {
    const fix = "take it out, change it where it is used, and give it by an ExternalSecret";
    for (const object of ofKind(world, "Secret"))
      report(object.placeOf([]), `the Secret ${object.name} is in the manifests`, fix);
    for (const secret of secretTemplates(world))
      for (const [key, value] of Object.entries(mapIn(secret, ["stringData"])))
        if (/password|token|key$/i.test(key) && !PLACEHOLDER.test(String(value)))
          report(
            secret.placeOf(["stringData", key]),
            `${key} of the Secret ${secret.name} looks filled in`,
            `write a word such as PASSWORD; ${fix}`,
          );
    const settings = settingsOf(world);
    for (const name of SECRET_VARIABLES)
      if (settings && valueAt(settings, ["data", name]) !== undefined)
        report(settings.placeOf(["data", name]), `${name} is in the ConfigMap`, fix);
    for (const path of world.files.paths)
      for (const [index, line] of (world.files.read(path) ?? "").split("\n").entries()) {
        const password = /\b[a-z][a-z+]*:\/\/[^\s:/@]*:([^\s@/]+)@/.exec(line)?.[1];
        if (
          (password !== undefined && !PLACEHOLDER.test(password)) ||
          /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(line)
        )
          report({ file: path, line: index + 1 }, "this looks like a credential", fix);
      }
  },
};

export const REFERENCE_RULES: Rule[] = [references, secretInGit];
