/** What `make cost` says of each environment, at a million jobs a day. */
import { billOf } from "../../cost/bill.ts";
import { readBudget } from "../../cost/budget.ts";
import { readEnvironmentFiles } from "../../cost/environment.ts";
import { environmentNames } from "../../kubernetes/read/environments.ts";
import { readPrices } from "../../kubernetes/read/prices.ts";
import { markdownTable } from "../../scaling/simulate/figure-tables.ts";

const JOBS_PER_DAY = 1_000_000;

const dollars = (value: number) => `$${value.toFixed(2).replace(".", ",")}`;

export async function costTable(): Promise<string> {
  const { prices } = readPrices(Date.now());
  const bills = await Promise.all(
    environmentNames().map(async (name) =>
      billOf(await readEnvironmentFiles(name), readBudget(name, prices), prices, {
        jobsPerDay: JOBS_PER_DAY,
      }),
    ),
  );
  return markdownTable(
    ["orden", "factura esperada al mes", "la peor", "presupuesto"],
    bills.map(({ environment, expectedUsd, worstUsd, budgetUsd }) => [
      `\`make cost ENV=${environment}\``,
      ...[expectedUsd, worstUsd, budgetUsd].map(dollars),
    ]),
  );
}
