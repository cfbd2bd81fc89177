/** Finds an asynchronous schema while its worker is defined: jobs are checked in one go, where it could only fail. */

/**
 * Whether a schema shows that it is asynchronous: a promise's, or one with an `async` function for a
 * refinement or a transform. What hides it (`superRefine`, a plain function that returns a promise)
 * is found at the first job, which ends as `invalid_input`.
 */
export function isAsyncSchema(schema: unknown): boolean {
  return isAsyncPart(schema, new Set());
}

interface Internals {
  def: Record<string, unknown>;
  check?: unknown;
}

function isAsyncPart(part: unknown, seen: Set<object>): boolean {
  if (typeof part === "function" && !("_zod" in part)) return isAsyncFunction(part);
  if (!isObject(part) || seen.has(part)) return false;
  seen.add(part);
  if (Array.isArray(part)) return part.some((element) => isAsyncPart(element, seen));
  if (!("_zod" in part)) return false;
  const { def, check } = part._zod as Internals;
  if (def.type === "promise" || isAsyncFunction(check)) return true;
  return partsOf(def).some((inner) => isAsyncPart(inner, seen));
}

/** Schemas, functions and lists of them. Defaults, enums and literals hold values, which are no part of it. */
function partsOf(def: Record<string, unknown>): unknown[] {
  if (def.type === "lazy") return [lazily(def.getter)];
  if (def.type === "object")
    return [...Object.values(def.shape as object), def.catchall, def.checks];
  return Object.entries(def).flatMap(([key, value]) =>
    VALUES.has(key) || key === "reverseTransform" ? [] : [value],
  );
}

const VALUES: ReadonlySet<string> = new Set(["values", "entries", "defaultValue", "error"]);

/** One that can't be resolved yet is looked at by the first job. */
function lazily(getter: unknown): unknown {
  try {
    return (getter as () => unknown)();
  } catch {
    return undefined;
  }
}

const isObject = (part: unknown): part is object =>
  (typeof part === "object" || typeof part === "function") && part !== null;

export const isAsyncFunction = (value: unknown): boolean =>
  Object.prototype.toString.call(value) === "[object AsyncFunction]";
