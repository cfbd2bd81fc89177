/** What pods are configured with exists, is known to the code, and holds no secret. */
import { Environment } from "../../../shared/config.ts";
import { type Path, readObjects } from "../../kubernetes/documents.ts";
import { type AppliedObject, applied, type Place, placed } from "../placed.ts";
import { nearest } from "../schemas.ts";
import {
  containersOf,
  find,
  listIn,
  mapIn,
  ofKind,
  type Pod,
  podsOf,
  type Report,
  type Rule,
  settingsOf,
  textIn,
  valueAt,
  type World,
} from "../world.ts";

/** Node's own, which a container may be given too. */
const NODE_VARIABLES = ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_ENV", "TZ"];
const KNOWN = [...Object.keys(Environment.shape), ...NODE_VARIABLES];
const SECRET_VARIABLES = ["AMQP_URL", "DATABASE_URL", "REDIS_URL", "RABBITMQ_MANAGEMENT_URL"];
const TEMPLATE = "manifests/addons/secrets.template.yaml";

/**
 * The Secrets with their keys, which no manifest but the template may hold. Its last one stands for
 * every engine's.
 */
function secretTemplates({ files, engines }: World): AppliedObject[] {
  const text = files.read(TEMPLATE);
  if (text === undefined) return [];
  const secrets = readObjects(TEMPLATE, text).objects.map((object) => applied(placed(object)));
  const pattern = secrets.at(-1);
  const missing = engines.filter(({ name }) => !secrets.some((secret) => secret.name === name));
  return [...secrets, ...(pattern ? missing.map(({ name }) => ({ ...pattern, name })) : [])];
}

const keysOf = (secret: AppliedObject) => Object.keys(mapIn(secret, ["stringData"]));

function unknownVariable(name: string, place: Place, where: string, report: Report): void {
  if (KNOWN.includes(name)) return;
  const near = nearest(name, KNOWN);
  report(
    place,
    `${where} gives ${name}, which no worker reads`,
    near === undefined ? "remove it; shared/config.ts has all variables" : `did you mean ${near}?`,
  );
}

const configKeys: Rule = {
  name: "config-keys",
  reason: "a variable with a typo is passed over in silence, and its default is used",
  check(world, report) {
    const settings = settingsOf(world);
    const data = settings ? mapIn(settings, ["data"]) : {};
    for (const [name, value] of Object.entries(data)) {
      const place = settings?.placeOf(["data", name]) ?? { file: TEMPLATE, line: 1 };
      unknownVariable(name, place, "the ConfigMap", report);
      const schema = Environment.shape[name as keyof typeof Environment.shape];
      const parsed = schema?.safeParse(value);
      if (parsed && !parsed.success)
        report(
          place,
          `${name}: ${parsed.error.issues[0]?.message}`,
          "correct the value; a worker refuses to start with it",
        );
    }
    for (const pod of podsOf(world))
      for (const path of containersOf(pod))
        for (const [index, entry] of listIn(pod.object, [...path, "env"]).entries()) {
          const { name } = entry as { name: string };
          unknownVariable(
            name,
            pod.object.placeOf([...path, "env", index, "name"]),
            `${pod.object.kind} ${pod.object.name}`,
            report,
          );
        }
    for (const secret of secretTemplates(world))
      if (secret.name !== "tl-engine-keda")
        for (const name of keysOf(secret))
          unknownVariable(
            name,
            secret.placeOf(["stringData", name]),
            `the Secret ${secret.name}`,
            report,
          );
  },
};

const requiredVariables: Rule = {
  name: "required-variables",
  reason: "a worker without them exits with status 2, again and again",
  check(world, report) {
    const required = Object.entries(Environment.shape)
      .filter(([, schema]) => !schema.safeParse(undefined).success)
      .map(([name]) => name);
    const templates = secretTemplates(world);
    for (const pod of podsOf(world).filter(({ object }) => object.kind === "Deployment")) {
      const path = [...pod.spec, "containers", 0];
      const given = new Set<string>();
      for (const entry of listIn(pod.object, [...path, "env"]))
        given.add((entry as { name: string }).name);
      for (const source of listIn(pod.object, [...path, "envFrom"]) as Source[]) {
        const map = find(world, "ConfigMap", source.configMapRef?.name ?? "");
        for (const key of map ? Object.keys(mapIn(map, ["data"])) : []) given.add(key);
        const secret = templates.find(({ name }) => name === source.secretRef?.name);
        for (const key of secret ? keysOf(secret) : []) given.add(key);
      }
      for (const name of required)
        if (!given.has(name))
          report(
            pod.object.placeOf([...path, "envFrom"]),
            `${pod.object.name} is not given ${name}`,
            `give it by the Secret ${pod.object.name}, and name it in ${TEMPLATE}`,
          );
    }
  },
};

interface Source {
  configMapRef?: { name?: string };
  secretRef?: { name?: string };
}

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
    for (const object of ofKind(world, "ScaledObject"))
      for (const [index] of listIn(object, ["spec", "triggers"]).entries()) {
        const path = ["spec", "triggers", index, "authenticationRef", "name"];
        const name = textIn(object, path);
        if (name !== "") need(object, path, "TriggerAuthentication", name);
      }
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
  for (const path of containersOf(pod)) {
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

export const CONFIGURATION_RULES: Rule[] = [configKeys, requiredVariables, references, secretInGit];
