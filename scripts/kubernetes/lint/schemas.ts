/** Kubernetes' schemas, and those of the operators that we use, made to refuse what they don't know. */
import { findPackageJSON } from "node:module";
import { nearest } from "../../../shared/engine/nearest.ts";
import type { AppliedObject } from "../kustomize/placed.ts";
import type { Path, Problem } from "../read/documents.ts";

interface SchemaError {
  instancePath: string;
  keyword: string;
  message?: string;
  params: Record<string, unknown>;
}
/** Its errors, or none. */
type Validate = (value: unknown) => SchemaError[];

/** Packages of the API groups that are not Kubernetes' own. */
const OPERATORS: Record<string, string> = {
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "external-secrets.io": "@kubernetes-models/external-secrets",
  "argoproj.io": "@kubernetes-models/argo-cd",
  "cilium.io": "@kubernetes-models/cilium",
};

const loaded = new Map<string, Promise<Validate | undefined>>();

function validatorOf(apiVersion: string, kind: string): Promise<Validate | undefined> {
  const id = `${apiVersion}/${kind}`;
  const known = loaded.get(id) ?? load(apiVersion, kind);
  loaded.set(id, known);
  return known;
}

async function load(apiVersion: string, kind: string): Promise<Validate | undefined> {
  const [group = ""] = apiVersion.split("/");
  if (!/^[\w.-]+(\/\w+)?$/.test(apiVersion) || !/^[A-Z]\w*$/.test(kind)) return undefined;
  const schemas = OPERATORS[group] ?? "kubernetes-models";
  // Throws where the package is not installed, which is nothing to blame the manifests for.
  findPackageJSON(schemas, import.meta.url);
  let model: { prototype?: { validate?: (this: unknown) => void } } | undefined;
  try {
    model = ((await import(`${schemas}/${apiVersion}/${kind}`)) as Record<string, typeof model>)[
      kind
    ];
  } catch {
    // Each loader tells a module that is not there in its own way; the caller reports an unknown kind.
    return undefined;
  }
  const validate = model?.prototype?.validate;
  if (!validate) return undefined;
  return (value) => {
    try {
      validate.call(value);
      return [];
    } catch (error) {
      // The class of the error is none of what the packages export.
      const { errors } = error as { errors?: SchemaError[] };
      if (!Array.isArray(errors)) throw error;
      return errors;
    }
  };
}

/** Types, enums, required and unknown fields of one object. */
export async function schemaProblems(object: AppliedObject): Promise<Problem[]> {
  const problems: Problem[] = [];
  const report = (path: Path, rule: string, message: string, fix: string) =>
    problems.push({ ...object.placeOf(path), rule, message, fix });
  const id = `${object.apiVersion} ${object.kind}`;
  const validate = await validatorOf(object.apiVersion, object.kind);
  if (!validate) {
    report(
      [],
      "unknown-kind",
      `nothing is known of the kind ${id}`,
      "correct apiVersion and kind, or give its group a package of schemas in scripts/kubernetes/lint/schemas.ts",
    );
    return problems;
  }
  const watched = watch(object.value);
  for (const error of validate(watched.value)) {
    const path = pathOf(error.instancePath);
    report(path, "schema", describe(path, error), "correct the value");
  }
  for (const { path, known } of watched.unknown()) {
    if (path.join(".") === LOST[object.kind]) continue;
    const near = meant(String(path.at(-1)), known);
    report(
      path,
      "unknown-field",
      `${object.kind} has no field ${path.join(".")}`,
      near === undefined ? "remove it, or correct its place" : `did you mean ${near}?`,
    );
  }
  return problems;
}

/** A known name that is a letter or two away, of a long one some more. */
export const meant = (name: string, known: readonly string[]): string | undefined =>
  nearest(name, known, Math.max(2, Math.floor(name.length / 4)));

const pathOf = (pointer: string): Path =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));

function describe(path: Path, { keyword, params, message }: SchemaError): string {
  const field = path.join(".") || "the object";
  switch (keyword) {
    case "required":
      return `${field} lacks ${String(params.missingProperty)}`;
    case "type":
      return `${field} must be of type ${String(params.type)}`;
    case "enum":
      return `${field} must be one of ${(params.allowedValues as unknown[]).join(", ")}`;
    default:
      return `${field} ${message ?? `breaks the schema (${keyword} ${JSON.stringify(params)})`}`;
  }
}

/** The packages lose every field of this name, taking it for a schema's own description. */
const LOST: Record<string, string> = {
  PriorityClass: "description",
  AppProject: "spec.description",
};

interface Watched {
  value: unknown;
  unknown(): { path: Path; known: string[] }[];
}

/**
 * The packages hold compiled validators, not the schemas, and these pass over unknown fields. But a
 * compiled validator asks an object for every field that its schema knows, there or not, and lists the
 * keys only where any are allowed. So whoever watches what it asks for learns the known fields.
 */
function watch(root: unknown): Watched {
  const objects: { path: Path; asked: Set<string>; open: boolean; keys: string[] }[] = [];
  const seen = new Map<object, unknown>();
  const wrap = (value: unknown, path: Path): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const earlier = seen.get(value);
    if (earlier !== undefined) return earlier;
    const isList = Array.isArray(value);
    const record = { path, asked: new Set<string>(), open: isList, keys: Object.keys(value) };
    objects.push(record);
    const proxy: object = new Proxy(value, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof key !== "string") return member;
        record.asked.add(key);
        return typeof member === "object"
          ? wrap(member, [...path, isList ? Number(key) : key])
          : member;
      },
      ownKeys(target) {
        record.open = true;
        return Reflect.ownKeys(target);
      },
    });
    seen.set(value, proxy);
    return proxy;
  };
  return {
    value: wrap(root, []),
    unknown: () =>
      objects
        // An object that is asked for nothing is one of any shape.
        .filter(({ open, asked }) => !open && asked.size > 0)
        .flatMap(({ path, asked, keys }) =>
          keys
            .filter((key) => !asked.has(key))
            .map((key) => ({ path: [...path, key], known: [...asked] })),
        ),
  };
}
