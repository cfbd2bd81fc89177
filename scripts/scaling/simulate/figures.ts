/** `make simulate FIGURES=1`: draws the pictures and tables of docs/infra/capacidad.md anew. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Prices } from "../../kubernetes/read/prices.ts";
import { drawGrowth, type Growth } from "./figure-growth.ts";
import { drawLimits } from "./figure-limits.ts";
import { growthTable, limitsTable, withTable } from "./figure-tables.ts";
import { limitsOf, RETENTION_DAYS, redisPlans } from "./limits.ts";
import { loadOf } from "./loads.ts";
import { drawPicture } from "./picture.ts";
import { whole } from "./report.ts";
import { perMonth } from "./result.ts";
import { simulate } from "./simulate.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

const MILLIONS_A_DAY = [1, 2, 5, 10, 20, 50, 100];
/** All weekdays, so that the month is one of working days and Sundays. */
const DAYS = 7;

export function writeFigures(
  engines: readonly SimulatedEngine[],
  prices: Prices,
  repository: string,
): void {
  const write = (name: string, svg: string) => {
    writeFileSync(`${repository}docs/img/${name}`, svg);
    console.log(`Written: docs/img/${name}`);
  };
  const growth = MILLIONS_A_DAY.map((millions) => growthAt(engines, prices, millions * 1e6));
  for (const it of growth) {
    const { jobsPerDay, podsUsd, redisUsd, storageUsd, p95S, p99S, longestS, maxPods } = it;
    console.log(
      `${whole(jobsPerDay).padStart(11)} jobs a day: pods $${podsUsd.toFixed(2)}, Redis $${whole(redisUsd)}, Postgres storage $${whole(storageUsd)} a month; p95 ${p95S.toFixed(1)} s, p99 ${p99S.toFixed(1)} s, longest ${longestS.toFixed(0)} s, ${maxPods} pods at most`,
    );
  }
  write("capacidad-crecimiento.svg", drawGrowth(growth));
  const limits = limitsOf(engines, prices);
  for (const { what, because, jobsPerDay } of limits)
    console.log(`${whole(jobsPerDay).padStart(13)} jobs a day: ${what} (${because})`);
  write("capacidad-limites.svg", drawLimits(limits));
  const page = `${repository}docs/infra/capacidad.md`;
  const grown = withTable(readFileSync(page, "utf8"), "crecimiento", growthTable(growth));
  writeFileSync(page, withTable(grown, "límites", limitsTable(limits)));
  console.log("Written: the tables of docs/infra/capacidad.md");
  const load = loadOf("burst");
  write("simulacion-rafaga.svg", drawPicture(simulate({ engines, load }), load));
}

export function growthAt(
  engines: readonly SimulatedEngine[],
  prices: Prices,
  jobsPerDay: number,
): Growth {
  const { free, payg } = redisPlans(prices);
  const { redisCommandsPerJob, resultRowBytes } = prices.measured;
  const result = simulate({ engines, load: loadOf("1m", { jobs: jobsPerDay, days: DAYS }) });
  const month = perMonth(result);
  const commands = redisCommandsPerJob * result.done * month;
  return {
    jobsPerDay,
    podsUsd: result.costUsd * month,
    redisUsd: (Math.max(0, commands - free.commandsPerMonth) / 100_000) * payg.usdPer100kCommands,
    storageUsd:
      ((jobsPerDay * RETENTION_DAYS * resultRowBytes) / 1e9) * prices.postgres.usdPerStorageGbMonth,
    p95S: result.wait.p95S,
    p99S: result.wait.p99S,
    longestS: result.wait.maxS,
    maxPods: result.maxPods,
  };
}
