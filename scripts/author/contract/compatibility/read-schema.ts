/** A published schema as the comparison reads it: references followed, each part with its place in the file. */

export type Schema = Readonly<Record<string, unknown>> | boolean;
type Parts = Record<string, unknown>;

/** What says nothing of which values are valid. */
const ANNOTATIONS = new Set([
  ...["$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"],
  ...["readOnly", "writeOnly", "contentMediaType", "contentEncoding", "contentSchema", "$defs"],
]);
/** Keywords under which names stand, each with a schema. */
const NAMED = new Set(["properties", "patternProperties", "dependentSchemas"]);
/** Keywords whose values are data. */
const DATA = new Set(["const", "enum", "required", "dependentRequired", "type", "default"]);

const places = new WeakMap<object, string>();
const texts = new WeakMap<object, string>();

/** Without alternatives that take anything: those are how a contract says that the rest is left out. */
export const readWithoutTolerance = (schema: unknown, pointer: string) =>
  readSchema(schema, pointer, (parts) => {
    const strict = parts.filter((part) => textOf(part) !== "{}");
    return strict.length > 0 ? strict : parts;
  });

/** @param pointer of the schema in its file, as JSON Pointer. */
export function readSchema(
  schema: unknown,
  pointer: string,
  choose = (parts: Schema[]) => parts,
): Schema {
  const root = schema as Parts;
  const defs = (root.$defs ?? {}) as Record<string, Parts>;

  const value = (key: string, part: unknown, at: string, open: string[]): unknown => {
    if (typeof part !== "object" || part === null || DATA.has(key)) return part;
    if (Array.isArray(part)) {
      const parts = part.map((one, index) => value("", one, `${at}/${index}`, open));
      return key === "anyOf" ? choose(parts as Schema[]) : parts;
    }
    if (!NAMED.has(key)) return read(part as Parts, at, open);
    const entries = Object.entries(part);
    return Object.fromEntries(
      entries.map(([name, one]) => [name, value("", one, `${at}/${escaped(name)}`, open)]),
    );
  };
  const read = (part: Parts, at: string, open: string[]): Schema => {
    const { $ref, $defs: _, ...own } = part;
    const entries = Object.entries(own);
    const made: Parts = Object.fromEntries(
      entries.map(([key, one]) => [key, value(key, one, `${at}/${escaped(key)}`, open)]),
    );
    if (typeof $ref === "string") {
      const target = follow($ref, open);
      const words = Object.keys(made).filter((key) => !ANNOTATIONS.has(key));
      if (words.length === 0 && typeof target === "object")
        return placed({ ...target, ...made }, places.get(target) ?? at);
      made.allOf = [...((made.allOf as Schema[] | undefined) ?? []), target];
    }
    return placed(made, at);
  };
  const follow = ($ref: string, open: string[]): Schema => {
    const [, name = ""] = /^#\/\$defs\/(.+)$/.exec($ref) ?? [];
    const target = defs[name];
    // Of what holds itself the comparison knows only whether all definitions stayed as they were.
    if (target === undefined || open.includes(name))
      return placed({ recursion: `${$ref} of ${stable(defs)}` }, `${pointer}/$defs/${name}`);
    return read(target, `${pointer}/$defs/${escaped(name)}`, [...open, name]);
  };
  return typeof schema === "boolean" ? schema : read(root, pointer, []);
}

function placed<T extends object>(schema: T, at: string): T {
  places.set(schema, at);
  return schema;
}

/** Where a part stands in its file. */
export const pointerOf = (schema: Schema) =>
  (typeof schema === "object" ? places.get(schema) : undefined) ?? "";

/** A part of a schema, at its place. */
export const placedAs = <T extends object>(part: T, schema: Schema): T =>
  placed(part, pointerOf(schema));

export const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");

export const isAnnotation = (key: string) => ANNOTATIONS.has(key);

/** As text in which equal schemas are equal: without annotations, keys in order. */
export function textOf(schema: Schema): string {
  if (typeof schema === "boolean") return String(schema);
  const known = texts.get(schema);
  if (known !== undefined) return known;
  const text = stable(schema);
  texts.set(schema, text);
  return text;
}

function stable(value: unknown, areNames = false): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  if (Array.isArray(value)) return `[${value.map((one) => stable(one)).join()}]`;
  const keys = Object.keys(value).filter((key) => areNames || !ANNOTATIONS.has(key));
  const parts = keys.sort().map((key) => {
    const part = (value as Parts)[key];
    const text =
      DATA.has(key) && !areNames ? JSON.stringify(part) : stable(part, !areNames && NAMED.has(key));
    return `${JSON.stringify(key)}:${text}`;
  });
  return `{${parts.join()}}`;
}
