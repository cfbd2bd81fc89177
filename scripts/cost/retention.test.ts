/** The bill reckons with the retention that the engines have. */
import { expect, test } from "vitest";
import { z } from "zod";
import { readEngines } from "../scaling/simulate/engines.ts";
import { loadWorkers, ownVariables } from "../workers.ts";

test("own-retention-months is the default of the engine's own variable", async () => {
  const own = ownVariables((await loadWorkers()).map(({ definition }) => definition));
  const defaults = z.object(own).parse({});
  const told = (await readEngines())
    .filter(({ ownRetentionMonths }) => ownRetentionMonths < Infinity)
    .map((engine) => [`${engine.name.toUpperCase()}_RETENTION_MONTHS`, engine.ownRetentionMonths]);
  const set = Object.entries(defaults).filter(([name]) => name.endsWith("_RETENTION_MONTHS"));
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(set));
});
