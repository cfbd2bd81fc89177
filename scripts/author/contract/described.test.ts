/** Whoever reads the contract finds, for every engine, what each field is, and for each action a job to copy. */
import { expect, test } from "vitest";
import { loadWorkers } from "../../workers.ts";
import { engineContract } from "../contract.ts";

/** Paths of fields that have no description, wherever a schema names fields. */
function undescribed(schema: unknown, path: string): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([key, part]) => {
    // Conditions and rules repeat fields that are told elsewhere.
    if (key === "if" || key === "then" || key === "else" || key === "not" || key === "oneOf")
      return [];
    if (key !== "properties") return undescribed(part, `${path}/${key}`);
    return Object.entries(part as Record<string, { description?: string; $ref?: string }>).flatMap(
      ([name, field]) => [
        ...((field.description ?? "").length < 5 ? [`${path}/${name}`] : []),
        ...undescribed(field, `${path}/${name}`),
      ],
    );
  });
}

const engines = (await loadWorkers())
  .map(({ definition }) => engineContract(definition))
  .filter((engine) => engine !== undefined);

test.each(engines)(
  "$engine: every field of every input, output and event says what it is",
  (engine) => {
    const { actions, events } = engine;
    const schemas = [
      ...Object.entries(actions).flatMap(([name, { input, output }]) => [
        [`${name}.input`, input] as const,
        [`${name}.output`, output] as const,
      ]),
      ...Object.entries(events),
    ];
    expect(schemas.flatMap(([name, schema]) => undescribed(schema, name))).toEqual([]);
  },
);

test.each(engines)(
  "$engine: every action has an example, and its title is a sentence",
  ({ actions }) => {
    for (const { examples } of Object.values(actions)) {
      expect(examples.length).toBeGreaterThan(0);
      for (const { title } of examples) expect(title).toMatch(/^[A-Z].*\.$/);
    }
  },
);

test("a field without words is found, however deep", () => {
  const schema = {
    properties: { a: { description: "An a.", items: { properties: { b: {} } } }, c: {} },
    $defs: { D: { anyOf: [{ properties: { e: { type: "string" } } }] } },
  };
  expect(undescribed(schema, "x")).toEqual(["x/a/items/b", "x/c", "x/$defs/D/anyOf/0/e"]);
});
