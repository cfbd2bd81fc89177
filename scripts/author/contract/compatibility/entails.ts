/**
 * Whether what is known of a value implies what a schema demands of it. Yes is proven; no means that no proof was
 * found. One thing is taken for granted: nobody sends a key that the contract did not name and that had no schema.
 */
import {
  type Conjunct,
  conjunctsOf,
  type Demand,
  flat,
  has,
  isSame,
  isStated,
  list,
  without,
} from "./conjuncts.ts";
import { namesAt, ofElements, ofField, ofOthers, type Place, placeOf, said } from "./places.ts";
import type { Schema } from "./read-schema.ts";
import { isCheckable, isImpossible, isValid, type Type, typesOf, valuesOf } from "./values.ts";

/** What is known of a value. */
export interface Known {
  /** All of them hold. */
  facts: Schema[];
  /** What the contract says of this place in any case. */
  place: Place;
  /** More of an object than it demands is no fault: readers pass over it. */
  isOutput: boolean;
  /** Alternatives that may still be looked at one by one. */
  depth: number;
}

const MOST_ALTERNATIVES = 4;

export function knownFrom(schema: Schema, isOutput: boolean): Known {
  const facts = flat(schema);
  return { facts, place: placeOf(facts), isOutput, depth: MOST_ALTERNATIVES };
}

/** With more facts of the same value. */
export const and = (known: Known, ...more: Schema[]): Known => ({
  ...known,
  facts: [...known.facts, ...more.flatMap(flat)],
});

/** Of a part of the value. */
const within = (known: Known, part: (schemas: Schema[]) => Schema[]): Known => ({
  ...known,
  facts: part(known.facts).flatMap(flat),
  place: placeOf(part(known.place)),
  depth: MOST_ALTERNATIVES,
});
export const fieldOf = (known: Known, name: string) =>
  within(known, (schemas) => ofField(schemas, name));
export const elementsOf = (known: Known) => within(known, ofElements);
export const othersOf = (known: Known) => within(known, ofOthers);

/** A field that the contract does not have at this place, and says nothing of. */
export const isUnnamed = ({ place }: Known, name: string) =>
  !namesAt(place).has(name) && ofOthers(place).length === 0;

export const impliesAll = (known: Known, schema: Schema): boolean =>
  conjunctsOf(schema).every((conjunct) => implies(known, conjunct));

export function implies(known: Known, conjunct: Conjunct): boolean {
  const { facts } = known;
  const { demand } = conjunct;
  if (isStated(facts, demand) || isImpossible(facts)) return true;
  const values = valuesOf(facts);
  if (values && isCheckable(demand) && values.every((value) => isValid(demand, value))) return true;
  return impliesKeyword(known, conjunct) || impliesInEachCase(known, conjunct);
}

/** One fact with alternatives at a time: each of them must imply the demand. */
function impliesInEachCase(known: Known, conjunct: Conjunct): boolean {
  if (known.depth === 0) return false;
  return known.facts.some((fact, index) => {
    const cases = casesOf(fact);
    if (cases.length === 0 || !isAbout(fact, conjunct.demand)) return false;
    const others = known.facts.filter((_, at) => at !== index);
    return cases.every((one) =>
      implies({ ...known, facts: [...others, ...one], depth: known.depth - 1 }, conjunct),
    );
  });
}

function casesOf(fact: Schema): Schema[][] {
  if (typeof fact === "boolean") return [];
  for (const key of ["anyOf", "oneOf"]) {
    const rest = without(fact, key);
    if (has(fact, key)) return list(fact, key).map((part) => [rest, ...flat(part)]);
  }
  if (!has(fact, "if")) return [];
  const { if: condition = true, then: held = true, else: failed = true } = fact as Conditional;
  const rest = without(fact, "if", "then", "else");
  return [
    [rest, ...flat(condition), ...flat(held)],
    [rest, { not: condition }, ...flat(failed)],
  ];
}

type Conditional = { if?: Schema; then?: Schema; else?: Schema };

/** Whether looking at the alternatives of a fact may help: they speak of the same fields, or of none. */
function isAbout(fact: Schema, demand: Demand): boolean {
  const named = namesAt(placeOf([demand]));
  const required = (said([demand], "required") as string[][]).flat();
  const names = new Set([...named, ...required]);
  const own = namesAt(placeOf([fact]));
  return names.size === 0 || own.size === 0 || [...names].some((name) => own.has(name));
}

function impliesKeyword(known: Known, { demand, keyword }: Conjunct): boolean {
  const { facts } = known;
  const types = typesOf(facts);
  const [limit] = Object.values(demand);
  switch (keyword) {
    case "type":
      return isOfType(facts, types, [limit].flat() as string[]);
    case "anyOf":
      return impliesSome(known, demand.anyOf as Schema[], types);
    case "oneOf":
      return impliesOne(known, demand.oneOf as Schema[]);
    case "not":
      return excludes(known, demand.not as Schema);
    case "if":
      return impliesConditional(known, demand as Conditional);
    default: {
      const of = OF_TYPE[keyword];
      if (of && !types.has(of)) return true;
      return BOUNDS[keyword]?.(facts, limit as number) ?? impliesParts(known, demand, keyword);
    }
  }
}

/** Keywords that say something of values of one type alone. */
const OF_TYPE: Record<string, Type> = {
  ...{ minLength: "string", maxLength: "string", pattern: "string", format: "string" },
  ...{ minimum: "number", maximum: "number", multipleOf: "number" },
  ...{ exclusiveMinimum: "number", exclusiveMaximum: "number" },
  ...{ minItems: "array", maxItems: "array", uniqueItems: "array", items: "array" },
  ...{ contains: "array", prefixItems: "array" },
  ...{ properties: "object", required: "object", additionalProperties: "object" },
  ...{ propertyNames: "object", minProperties: "object", maxProperties: "object" },
  ...{ patternProperties: "object" },
};

type Bound = (facts: Schema[], limit: number) => boolean;
const some = (facts: Schema[], keyword: string, is: (value: number) => boolean) =>
  (said(facts, keyword) as number[]).some(is);
const atLeast =
  (keyword: string): Bound =>
  (facts, limit) =>
    limit === 0 || some(facts, keyword, (value) => value >= limit);
const atMost =
  (keyword: string): Bound =>
  (facts, limit) =>
    some(facts, keyword, (value) => value <= limit);

const BOUNDS: Record<string, Bound> = {
  ...{ minLength: atLeast("minLength"), maxLength: atMost("maxLength") },
  ...{ minItems: atLeast("minItems"), maxItems: atMost("maxItems") },
  ...{ minProperties: atLeast("minProperties"), maxProperties: atMost("maxProperties") },
  minimum: (facts, limit) =>
    some(facts, "minimum", (value) => value >= limit) ||
    some(facts, "exclusiveMinimum", (value) => value >= limit),
  maximum: (facts, limit) =>
    some(facts, "maximum", (value) => value <= limit) ||
    some(facts, "exclusiveMaximum", (value) => value <= limit),
  exclusiveMinimum: (facts, limit) =>
    some(facts, "exclusiveMinimum", (value) => value >= limit) ||
    some(facts, "minimum", (value) => value > limit),
  exclusiveMaximum: (facts, limit) =>
    some(facts, "exclusiveMaximum", (value) => value <= limit) ||
    some(facts, "maximum", (value) => value < limit),
  multipleOf: (facts, limit) =>
    some(facts, "multipleOf", (value) => Number.isInteger(value / limit)) ||
    (limit === 1 && isInteger(facts)),
};

const isInteger = (facts: Schema[]) =>
  said(facts, "type").some((type) => {
    const names = [type].flat();
    return names.includes("integer") && !names.includes("number");
  });

function isOfType(facts: Schema[], types: Set<Type>, taken: string[]): boolean {
  return [...types].every((type) =>
    type === "number" && !taken.includes("number")
      ? taken.includes("integer") && isInteger(facts)
      : taken.includes(type),
  );
}

function impliesParts(known: Known, demand: Demand, keyword: string): boolean {
  switch (keyword) {
    case "required":
      return (said(known.facts, "required") as string[][])
        .flat()
        .includes((demand.required as string[])[0] as string);
    case "properties": {
      const [[name, part] = ["", true as Schema]] = Object.entries(
        demand.properties as Record<string, Schema>,
      );
      return isUnnamed(known, name) || impliesAll(fieldOf(known, name), part);
    }
    case "items":
      return impliesAll(elementsOf(known), demand.items as Schema);
    case "propertyNames":
      return impliesAll(namesOf(known), demand.propertyNames as Schema);
    case "additionalProperties":
      return impliesOthers(known, demand);
    default:
      return false;
  }
}

/** Of an object's keys. */
export const namesOf = (known: Known): Known => {
  const names = said(known.facts, "propertyNames") as Schema[];
  return { ...known, facts: [{ type: "string" }, ...names.flatMap(flat)], place: [] };
};

function impliesOthers(known: Known, demand: Demand): boolean {
  const others = demand.additionalProperties as Schema;
  // Who reads passes over what he does not know.
  if (known.isOutput && others === false) return true;
  if (demand.patternProperties !== undefined) return false;
  const own = Object.keys(demand.properties as object);
  const named = [...namesAt(known.place)].filter((name) => !own.includes(name));
  return (
    impliesAll(othersOf(known), others) &&
    named.every((name) => impliesAll(fieldOf(known, name), others))
  );
}

function impliesSome(known: Known, parts: Schema[], types: Set<Type>): boolean {
  if (parts.some((part) => impliesAll(known, part))) return true;
  if (types.size < 2 || types.size === 6) return false;
  return [...types].every((type) => {
    const one = and(known, { type });
    return parts.some((part) => impliesAll(one, part));
  });
}

/** One holds, and no other can. */
function impliesOne(known: Known, parts: Schema[]): boolean {
  return parts.some(
    (part) =>
      impliesAll(known, part) && parts.every((other) => other === part || excludes(known, other)),
  );
}

/** Whether no value is valid by both, as far as it is plain. */
function excludes(known: Known, schema: Schema): boolean {
  if (isImpossible(and(known, schema).facts)) return true;
  const denied = said(known.facts, "not") as Schema[];
  const other: Known = { ...known, facts: flat(schema), place: placeOf([schema, ...known.place]) };
  return denied.some((not) => isSame(not, schema) || impliesAll(other, not));
}

function impliesConditional(known: Known, demand: Conditional): boolean {
  const { if: condition = true, then: held = true, else: failed = true } = demand;
  return (
    (excludes(known, condition) || impliesAll(and(known, condition), held)) &&
    (impliesAll(known, condition) || impliesAll(and(known, { not: condition }), failed))
  );
}
