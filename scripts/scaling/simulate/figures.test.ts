/** The handbook's page on capacity says what the prices, the measured figures and keda/ come to today. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readPrices } from "../../kubernetes/read/prices.ts";
import { readEngines } from "./engines.ts";
import { drawLimits } from "./figure-limits.ts";
import { growthTable, limitsTable, withTable } from "./figure-tables.ts";
import { growthAt } from "./figures.ts";
import { limitsOf } from "./limits.ts";

const page = readFileSync("docs/infra/capacidad.md", "utf8");
const engines = await readEngines();
const { prices } = readPrices(Date.now());

test("its limits and their picture: after a change, make simulate FIGURES=1", () => {
  const limits = limitsOf(engines, prices);
  expect(page).toBe(withTable(page, "límites", limitsTable(limits)));
  expect(readFileSync("docs/img/capacidad-limites.svg", "utf8")).toBe(drawLimits(limits));
});

test("its growth, by its cheapest row: after a change, make simulate FIGURES=1", () => {
  const [row] = growthTable([growthAt(engines, prices, 1e6)])
    .split("\n")
    .slice(2);
  expect(page).toContain(row);
});

test("a table without a place is told", () => {
  expect(() => withTable("nothing", "límites", "| a |")).toThrow(/no place for the table límites/);
});
