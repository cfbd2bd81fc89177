/** What is noted of a schema beside what it checks: how callers may spell its values, and what they are told. */
import { z } from "zod";

/** What a schema says of the spellings of its values, beside what they are. */
interface Wire {
  /** Other names of the field that has this schema. */
  alsoAs?: readonly string[];
  /** JSON of it in a string counts as it. */
  isJsonTaken?: boolean;
  /** What callers should send, where less than that is checked: a schema, of whose type zod's registry would make another. */
  shape?: unknown;
  /** The handler reads it: its keys reach it as they were sent, even those that are unknown. */
  isReadByHandler?: boolean;
  /** Keys have any spelling in here. */
  isAnySpelling?: boolean;
}

/** Of a schema; zod hands it on to what `describe` and its like make of one. */
export const WIRE = z.registry<Wire>();

export function noting<Schema extends z.ZodType>(schema: Schema, wire: Wire): Schema {
  WIRE.add(schema, { ...WIRE.get(schema), ...wire });
  return schema;
}

/** The field of this schema may have other names, too; of several the first with a value counts, its own before them. */
export const alsoAs = <Schema extends z.ZodType>(schema: Schema, ...names: string[]): Schema =>
  noting(schema, { alsoAs: names });

/** The value may come as JSON in a string, too. */
export const orJson = <Schema extends z.ZodType>(schema: Schema): Schema =>
  noting(schema, { isJsonTaken: true });

/**
 * What `base` checks and `shape` describes: callers see the shape, and its spellings count, but what
 * breaks it gets through to the handler. A base of its own, since it is marked.
 */
export const describedAs = <Base extends z.ZodType, Shape extends z.ZodType>(
  base: Base,
  shape: Shape,
) => noting(base, { shape }) as unknown as z.ZodType<z.output<Base>, z.input<Shape>>;

/**
 * The same for what its handler reads itself, to say of each unknown key where it is: nothing is respelt or left out
 * of it before.
 */
export const readByHandler = <Shape extends z.ZodType>(shape: Shape) =>
  noting(z.unknown(), { shape, isReadByHandler: true }) as unknown as z.ZodType<
    unknown,
    z.input<Shape>
  >;

/** The shape that a schema is described by. */
export const shapeOf = (schema: z.ZodType) => WIRE.get(schema)?.shape as z.ZodType | undefined;
