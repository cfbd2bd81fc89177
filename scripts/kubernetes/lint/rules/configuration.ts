/** The variables that pods are given are those that the code reads. */
import type { z } from "zod";
import { Environment } from "../../../../shared/process/config.ts";
import { FROM_FILES } from "../../../../shared/process/secret-files.ts";
import { ownVariables } from "../../../workers.ts";
import type { Place } from "../../kustomize/placed.ts";
import { listIn, mapIn } from "../../read/value-at.ts";
import { containersOf } from "../../read/workload.ts";
import { meant } from "../schemas.ts";
import { keysOf, secretTemplates, TEMPLATE } from "../secret-templates.ts";
import {
  find,
  podsOf,
  type Report,
  type Rule,
  type Source,
  settingsOf,
  type World,
} from "../world.ts";

/** Node's own, which a container may be given too. */
const NODE_VARIABLES = ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_ENV", "TZ"];
const FILES = FROM_FILES.map((name) => `${name}_FILE`);

/** By name: of all workers, and the engines' own. */
const schemasOf = ({ engines }: World): Record<string, z.ZodType> => ({
  ...Environment.shape,
  ...ownVariables(engines),
});

function unknownVariable(
  name: string,
  schemas: Record<string, z.ZodType>,
  place: Place,
  where: string,
  report: Report,
): void {
  const known = [...Object.keys(schemas), ...FILES, ...NODE_VARIABLES];
  if (known.includes(name)) return;
  const near = meant(name, known);
  report(
    place,
    `${where} gives ${name}, which no worker reads`,
    near === undefined ? "remove it; .env.example has all variables" : `did you mean ${near}?`,
  );
}

const configKeys: Rule = {
  name: "config-keys",
  reason: "a variable with a typo is passed over in silence, and its default is used",
  check(world, report) {
    const schemas = schemasOf(world);
    const settings = settingsOf(world);
    const data = settings ? mapIn(settings, ["data"]) : {};
    for (const [name, value] of Object.entries(data)) {
      const place = settings?.placeOf(["data", name]) ?? { file: TEMPLATE, line: 1 };
      unknownVariable(name, schemas, place, "the ConfigMap", report);
      const parsed = schemas[name]?.safeParse(value);
      if (parsed && !parsed.success)
        report(
          place,
          `${name}: ${parsed.error.issues[0]?.message}`,
          "correct the value; a worker refuses to start with it",
        );
    }
    for (const pod of podsOf(world))
      for (const path of containersOf(pod.object))
        for (const [index, entry] of listIn(pod.object, [...path, "env"]).entries()) {
          const name = (entry as { name?: unknown } | null)?.name;
          // The schema's problem, which tells it.
          if (typeof name !== "string") continue;
          unknownVariable(
            name,
            schemas,
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
            schemas,
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
        if (!given.has(name) && !given.has(`${name}_FILE`))
          report(
            pod.object.placeOf([...path, "envFrom"]),
            `${pod.object.name} is not given ${name}`,
            `give it by the Secret ${pod.object.name}, and name it in ${TEMPLATE}`,
          );
    }
  },
};

export const CONFIGURATION_RULES: Rule[] = [configKeys, requiredVariables];
