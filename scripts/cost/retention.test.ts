/** The bill reckons with the retention that the engines have. */
import { expect, test } from "vitest";
import { z } from "zod";
import { readEngines } from "../scaling/simulate/engines.ts";
import { loadWorkers, ownVariables } from "../workers.ts";

const DAYS_PER_MONTH = 30;

test("own-retention-months is the default of the engine's own variable", async () => {
  const own = ownVariables((await loadWorkers()).map(({ definition }) => definition));
  const defaults = Object.entries(z.object(own).parse({}));
  const told = (await readEngines())
    .filter(({ ownRetentionMonths }) => ownRetentionMonths < Infinity)
    .map(({ name, ownRetentionMonths }) => [name.toUpperCase(), ownRetentionMonths]);
  // ANALYTICS_RETENTION_MONTHS, NOTIFICATIONS_MAIL_RETENTION_DAYS
  const set = defaults.flatMap(([variable, value]) => {
    const [, engine, unit] = /^([A-Z]+)(?:_[A-Z]+)*_RETENTION_(MONTHS|DAYS)$/.exec(variable) ?? [];
    return engine ? [[engine, Number(value) / (unit === "DAYS" ? DAYS_PER_MONTH : 1)]] : [];
  });
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(set));
});
