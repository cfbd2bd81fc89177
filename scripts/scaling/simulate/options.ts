/** What the person who runs the simulation may choose, read from the environment once. */
import { BadInput, positive } from "./bad-input.ts";
import { loadFromCsv } from "./load-csv.ts";
import { LOAD_NAMES, type Load, type LoadName, loadOf } from "./loads.ts";
import type { Cluster } from "./nodes.ts";
import type { PodPrices } from "./result.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

export interface Options {
  engines: SimulatedEngine[];
  load: Load;
  seed: string;
  cluster: Partial<Cluster>;
  prices: PodPrices;
  suggest: boolean;
  /** The result as JSON on standard output, the rest on standard error. */
  json: boolean;
}

/**
 * ENGINE (all of the load to this one), LOAD (a name or a CSV file), JOBS (of a day, or of the burst),
 * DAYS, SEED, SUGGEST, JSON, TARGET_WAIT_S, POD_START_S, NODE_START_S, USD_PER_CPU_HOUR and
 * USD_PER_GIB_HOUR. Throws BadInput that names what can't be used and what can.
 */
export function readOptions(
  env: NodeJS.ProcessEnv,
  known: readonly SimulatedEngine[],
  prices: PodPrices,
): Options {
  const names = known.map(({ name }) => name);
  const only = env.ENGINE;
  if (only && !names.includes(only))
    throw new BadInput(
      `ENGINE: ${JSON.stringify(only)} is no engine; there are ${names.join(", ")}`,
    );
  const targetWaitS = positive(env, "TARGET_WAIT_S");
  const podStartS = positive(env, "POD_START_S", { zero: true });
  const nodeStartS = positive(env, "NODE_START_S", { zero: true, whole: true });
  return {
    engines: known
      .filter(({ name }) => !only || name === only)
      .map((engine) => ({
        ...engine,
        ...(only && { share: 1 }),
        ...(targetWaitS !== undefined && { targetWaitS }),
      })),
    load: readLoad(env, names),
    seed: env.SEED || "1",
    cluster: {
      ...(podStartS !== undefined && { podStartS }),
      ...(nodeStartS !== undefined && { nodeStartS }),
    },
    prices: {
      usdPerCpuHour: positive(env, "USD_PER_CPU_HOUR") ?? prices.usdPerCpuHour,
      usdPerGibHour: positive(env, "USD_PER_GIB_HOUR") ?? prices.usdPerGibHour,
    },
    suggest: flag(env.SUGGEST),
    json: flag(env.JSON),
  };
}

const flag = (text: string | undefined) => text !== undefined && text !== "" && text !== "0";

/** More would be a month of more than the histogram can tell apart, and hours of a CI's time. */
const MOST_DAYS = 31;

function readLoad(env: NodeJS.ProcessEnv, engines: readonly string[]): Load {
  const name = env.LOAD || "1m";
  const jobs = positive(env, "JOBS", { whole: true });
  const days = positive(env, "DAYS", { whole: true });
  if (days !== undefined && days > MOST_DAYS) throw new BadInput(`DAYS: ${MOST_DAYS} are the most`);
  if (name.endsWith(".csv")) return loadFromCsv(name, engines);
  if (!(LOAD_NAMES as readonly string[]).includes(name))
    throw new BadInput(
      `LOAD: ${JSON.stringify(name)} is no load; there are ${LOAD_NAMES.join(", ")}, or the path of a file that ends in .csv`,
    );
  return loadOf(name as LoadName, { ...(jobs && { jobs }), ...(days && { days }) });
}
