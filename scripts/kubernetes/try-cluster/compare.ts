/** What the simulator makes of the same load, beside which the cluster's figures stand. */

import { REPOSITORY } from "../../repository.ts";
import { readEngines } from "../../scaling/simulate/engines.ts";
import type { Load } from "../../scaling/simulate/loads.ts";
import type { EngineResult } from "../../scaling/simulate/result.ts";
import { simulate } from "../../scaling/simulate/simulate.ts";

export interface Simulated {
  peakReplicas: number;
  /** From the first publish; undefined: it did not come to zero. */
  zeroAfterS: number | undefined;
}

/** Longer than any cooldown of ours and its backlog. */
const DURATION_S = 1_800;

/** The engine alone, which slept, under so many jobs within so many seconds. */
export async function simulateBurst(
  engine: string,
  jobs: number,
  seconds: number,
): Promise<Simulated> {
  const engines = (
    await readEngines({ scaledObjects: `${REPOSITORY}keda/*.yaml`, root: REPOSITORY })
  )
    .filter(({ name }) => name === engine)
    .map((it) => ({ ...it, share: 1 }));
  const lastsS = Math.max(1, Math.ceil(seconds));
  const load: Load = {
    name: "try-cluster",
    title: `${jobs} jobs within ${lastsS} s`,
    durationS: DURATION_S,
    clockS: 0,
    rate: (_, atS) => (atS < lastsS ? jobs / lastsS : 0),
  };
  const [result] = simulate({ engines, load }).engines;
  if (!result) throw new RangeError(`there is no ScaledObject of ${engine}`);
  return { peakReplicas: result.maxReplicas, zeroAfterS: zeroOf(result) };
}

function zeroOf({ series }: EngineResult): number | undefined {
  const { wanted, ready, draining, binS } = series;
  const isUp = (bin: number) => (wanted[bin] ?? 0) + (ready[bin] ?? 0) + (draining[bin] ?? 0) > 0;
  const last = wanted.findLastIndex((_, bin) => isUp(bin));
  return last < 0 || last === wanted.length - 1 ? undefined : (last + 1) * binS;
}
