/** Looks values up in objects that may hold anything anywhere: what is of another type counts as missing. */
import type { Path } from "./documents.ts";

interface Holder {
  value: Record<string, unknown>;
}

export function valueAt(object: Holder, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null
        ? (value as Record<string, unknown>)[step]
        : undefined,
    object.value,
  );
}

export const textIn = (object: Holder, path: Path): string => {
  const value = valueAt(object, path);
  return typeof value === "string" ? value : "";
};

export const listIn = (object: Holder, path: Path): unknown[] => {
  const value = valueAt(object, path);
  // An item that is missing is told by the schema; nobody else has to expect it.
  return Array.isArray(value) ? value.map((item: unknown) => item ?? {}) : [];
};

export const mapIn = (object: Holder, path: Path): Record<string, unknown> => {
  const value = valueAt(object, path);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
};
