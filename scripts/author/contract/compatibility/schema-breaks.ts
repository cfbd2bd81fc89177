/** What in a newer schema breaks those who keep to the older one, each with its place. */
import { type Conjunct, conjunctsOf, flat, has, isSame, list, without } from "./conjuncts.ts";
import {
  and,
  elementsOf,
  fieldOf,
  implies,
  impliesAll,
  type Known,
  knownFrom,
  namesOf,
  othersOf,
} from "./entails.ts";
import { namesAt, ofElements, ofField, ofOthers, type Place, placeOf, said } from "./places.ts";
import {
  escaped,
  pointerOf,
  readSchema,
  readWithoutTolerance,
  type Schema,
} from "./read-schema.ts";
import { isCheckable, isValid, typesOf } from "./values.ts";

/** `input`: what was taken must be taken still. `output`: what comes must be what was promised. */
export type Direction = "input" | "output";

export interface SchemaBreak {
  /** Breaks nobody who reads as the contract says, but may surprise. */
  isWarning: boolean;
  /** Field by field, as a person says it; empty for the whole. */
  field: string;
  /** In which of the two files the pointer leads somewhere. */
  file: "baseline" | "current";
  pointer: string;
  what: string;
}

export interface Placed {
  schema: unknown;
  /** Of the schema in its file, as JSON Pointer. */
  pointer: string;
}

export function schemaBreaks(older: Placed, newer: Placed, direction: Direction): SchemaBreak[] {
  const refused = between(older, newer, direction, readSchema);
  // What an engine leaves out instead of refusing it is lost on it all the same.
  const leftOut = between(older, newer, direction, readWithoutTolerance).map((one) => ({
    ...one,
    what: `${one.what} (it would be left out in silence)`,
  }));
  const told = new Set(refused.map(({ pointer, field }) => `${field} ${pointer}`));
  return [...refused, ...leftOut.filter(({ pointer, field }) => !told.has(`${field} ${pointer}`))];
}

function between(
  older: Placed,
  newer: Placed,
  direction: Direction,
  read: typeof readSchema,
): SchemaBreak[] {
  const was = read(older.schema, older.pointer);
  const is = read(newer.schema, newer.pointer);
  const isOutput = direction === "output";
  const [known, demanded] = isOutput ? [is, was] : [was, is];
  return distinct([
    ...lost(placeOf(flat(was)), placeOf(flat(is)), "", direction),
    ...unmet(knownFrom(known, isOutput), demanded, ""),
  ]);
}

function distinct(found: SchemaBreak[]): SchemaBreak[] {
  const seen = new Set<string>();
  return found.filter(({ field, pointer, what }) => {
    const key = JSON.stringify([field, pointer, what]);
    return !seen.has(key) && seen.add(key);
  });
}

const below = (field: string, name: string) => (field === "" ? name : `${field}.${name}`);

/** Names that there were and are no more, and defaults that changed. */
function lost(was: Place, is: Place, field: string, direction: Direction): SchemaBreak[] {
  const before = namesAt(was);
  const after = namesAt(is);
  const ofNames = [...before].flatMap((name) => {
    const old = placeOf(ofField(was, name));
    const at = below(field, name);
    if (after.has(name)) {
      const now = placeOf(ofField(is, name));
      const changed = direction === "input" ? changedDefault(old, now, at) : [];
      return [...changed, ...lost(old, now, at, direction)];
    }
    const what =
      direction === "input"
        ? `\`${name}\` was a field, or a spelling of one, and is none now: it would be passed over`
        : `\`${name}\` was promised, and comes no more`;
    return [
      {
        isWarning: false,
        field: at,
        file: "baseline" as const,
        pointer: whereNamed(was, name),
        what,
      },
    ];
  });
  const parts: [Place, Place, string][] = [
    [placeOf(ofElements(was)), placeOf(ofElements(is)), `${field}[]`],
    [placeOf(ofOthers(was)), placeOf(ofOthers(is)), below(field, "<id>")],
  ];
  return [
    ...ofNames,
    ...parts.flatMap(([old, now, at]) => (old.length > 0 ? lost(old, now, at, direction) : [])),
  ];
}

function whereNamed(place: Place, name: string): string {
  const owner = place.find((schema) => namesAt([schema]).has(name)) ?? true;
  return `${pointerOf(owner)}/properties/${escaped(name)}`;
}

function changedDefault(was: Place, is: Place, field: string): SchemaBreak[] {
  const [before] = said(was, "default");
  const [after] = said(is, "default");
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const where = is.find((schema) => has(schema, "default")) ?? is[0] ?? true;
  const what = `the default was ${shown(before)} and is ${shown(after)}: jobs without the field mean something else`;
  return [{ isWarning: true, field, file: "current", pointer: pointerOf(where), what }];
}

/** Demands that what is known does not imply, as deep as they can be told. */
function unmet(known: Known, demanded: Schema, field: string): SchemaBreak[] {
  return conjunctsOf(demanded)
    .filter((conjunct) => !implies(known, conjunct))
    .flatMap((conjunct) => {
      const deeper = unmetWithin(known, conjunct, field);
      return deeper.length > 0 ? deeper : [leaf(known, conjunct, field)];
    });
}

function unmetWithin(known: Known, { demand, keyword }: Conjunct, field: string): SchemaBreak[] {
  switch (keyword) {
    case "properties":
      return Object.entries(demand.properties as Record<string, Schema>).flatMap(([name, part]) =>
        unmet(fieldOf(known, name), part, below(field, name)),
      );
    case "items":
      return unmet(elementsOf(known), demand.items as Schema, `${field}[]`);
    case "additionalProperties":
      return demand.additionalProperties === false
        ? []
        : unmet(othersOf(known), demand.additionalProperties as Schema, below(field, "<id>"));
    case "propertyNames":
      return unmet(namesOf(known), demand.propertyNames as Schema, below(field, "<id>"));
    case "if":
      return [
        ...unmet(assuming(known, demand, "then"), (demand.then ?? true) as Schema, field),
        ...unmet(assuming(known, demand, "else"), (demand.else ?? true) as Schema, field),
      ];
    case "anyOf":
      return unmetChoice(known, demand.anyOf as Schema[], field);
    default:
      return [];
  }
}

/** What is known once the condition holds, or does not: what the same condition says among the facts, too. */
function assuming(known: Known, demand: Conjunct["demand"], way: "then" | "else"): Known {
  const condition = demand.if as Schema;
  const said = known.facts.flatMap((fact): Schema[] =>
    typeof fact === "object" && has(fact, "if") && isSame(fact.if as Schema, condition)
      ? [without(fact, "if", "then", "else"), (fact[way] ?? true) as Schema]
      : [fact],
  );
  return and(
    { ...known, facts: said.flatMap(flat) },
    way === "then" ? condition : { not: condition },
  );
}

/** Alternatives, those of an alternative among them. */
const alternatives = (parts: Schema[]): Schema[] =>
  parts.flatMap((part) =>
    conjunctsOf(part).length === 1 && has(part, "anyOf")
      ? alternatives(list(part, "anyOf"))
      : [part],
  );

/** Each thing that was possible against the one alternative that is of its kind. */
function unmetChoice(known: Known, parts: Schema[], field: string): SchemaBreak[] {
  const choice = known.facts.findIndex((fact) => has(fact, "anyOf"));
  const others = known.facts.filter((_, index) => index !== choice);
  const cases = list(known.facts[choice] ?? true, "anyOf").map((part) => [
    ...others,
    ...flat(part),
  ]);
  return (cases.length > 0 ? cases : [known.facts]).flatMap((facts) => {
    const one: Known = { ...known, facts };
    if (parts.some((part) => impliesAll(one, part))) return [];
    const types = typesOf(facts);
    const alike = alternatives(parts).filter((part) =>
      [...typesOf(flat(part))].some((type) => types.has(type)),
    );
    return alike.length === 1 ? unmet(one, alike[0] as Schema, field) : [];
  });
}

function leaf(known: Known, { demand, keyword, origin }: Conjunct, field: string): SchemaBreak {
  const pointer = `${pointerOf(origin)}${keyword === "" ? "" : `/${keyword}`}`;
  const words = known.isOutput ? OUTPUT : INPUT;
  const before = said(known.facts, keyword);
  const isWarning = known.isOutput && isMoreValues(demand, before);
  const what = isWarning
    ? `new values: ${newValues(demand, before).map(shown).join(", ")}`
    : words(keyword, demand, before, known);
  return { isWarning, field, file: known.isOutput ? "baseline" : "current", pointer, what };
}

/** An enumeration of an output that grew. */
const isMoreValues = ({ enum: promised }: Conjunct["demand"], [now]: unknown[]) =>
  Array.isArray(promised) && Array.isArray(now);

const newValues = (demand: Conjunct["demand"], [now]: unknown[]) =>
  (now as unknown[]).filter((value) => !isCheckable(demand) || !isValid(demand, value));

type Words = (
  keyword: string,
  demand: Conjunct["demand"],
  before: unknown[],
  known: Known,
) => string;

const INPUT: Words = (keyword, demand, [before], { facts }) => {
  const now = demand[keyword];
  switch (keyword) {
    case "":
      return "was allowed and is not any more";
    case "required":
      return `\`${(now as string[]).join("`, `")}\` is required now, and was not`;
    case "type":
      return `took ${[...typesOf(facts)].join(", ")} and takes ${[now].flat().join(", ")} alone`;
    case "enum": {
      const gone = (before as unknown[] | undefined)?.filter((value) => !isValid(demand, value));
      return gone
        ? `no longer takes ${gone.map(shown).join(", ")}`
        : `takes ${shown(now)} alone now`;
    }
    case "additionalProperties":
      return now === false
        ? "took unknown keys and refuses them now"
        : "unknown keys must be something else now";
    default:
      return `${keyword} was ${shown(before)} and is ${shown(now)}: what was valid may be refused`;
  }
};

const OUTPUT: Words = (keyword, demand, [now], { facts }) => {
  const promised = demand[keyword];
  switch (keyword) {
    case "required":
      return `\`${(promised as string[]).join("`, `")}\` was always there, and may be absent now`;
    case "type":
      return `was ${[promised].flat().join(", ")} and may be ${[...typesOf(facts)].join(", ")}`;
    default:
      return `${keyword} was ${shown(promised)} and is ${shown(now)}: readers may get what was ruled out`;
  }
};

const MOST_SHOWN = 120;

function shown(value: unknown): string {
  if (value === undefined) return "not set";
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
