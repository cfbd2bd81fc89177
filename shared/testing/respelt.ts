/** Writes a good input in other ways that its engine takes as well, as chance has it. */

import type { z } from "zod";
import { shapeOf, WIRE } from "../engine/spelling-marks.ts";
import { snakeCase, spellingsOf } from "../engine/spelling-plan.ts";

type Def = Record<string, z.ZodType> & { type: string };

/** @param random from 0 to 1. */
export function respelt(schema: z.ZodType, value: unknown, random: () => number): unknown {
  const { isJsonTaken } = WIRE.get(schema) ?? {};
  const written = writtenAs(shapeOf(schema) ?? schema, value, random);
  return isJsonTaken && random() < 0.3 ? JSON.stringify(written ?? null) : written;
}

function writtenAs(schema: z.ZodType, value: unknown, random: () => number): unknown {
  const def = schema._zod.def as unknown as Def;
  const inner = (key: string) => respelt(def[key] as z.ZodType, value, random);
  switch (def.type) {
    case "object":
      return isObject(value) ? objectOf((schema as z.ZodObject).shape, value, random) : value;
    case "array":
      return Array.isArray(value)
        ? value.map((element) => respelt(def.element as z.ZodType, element, random))
        : value;
    case "pipe":
      return inner(def.in?._zod.def.type === "transform" ? "out" : "in");
    case "optional":
    case "nullable":
    case "default":
    case "catch":
      return inner("innerType");
    default:
      return value;
  }
}

/** Under any of its names, now and then under two of them, or as null where it is absent. */
function objectOf(shape: Record<string, z.ZodType>, value: Sent, random: () => number): Sent {
  const written: Sent = {};
  for (const [key, sent] of Object.entries(value)) {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!schema) {
      written[key] = sent;
      continue;
    }
    const names = spellingsOf(key, schema);
    const name = names[Math.floor(random() * names.length)] ?? snakeCase(key);
    written[name] = respelt(schema, sent, random);
    const other = names[Math.floor(random() * names.length)] ?? key;
    if (other !== name && random() < 0.2) written[other] = random() < 0.5 ? null : [sent];
  }
  return written;
}

type Sent = Record<string, unknown>;

const isObject = (value: unknown): value is Sent =>
  typeof value === "object" && value !== null && !Array.isArray(value);
