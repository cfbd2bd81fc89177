/** The lines of a bill: what each part costs as expected, at worst, and without its guard. */

export interface Line {
  part: "kubernetes" | "services";
  what: string;
  expectedUsd: number;
  worstUsd: number;
  /** What the fleet at its maximum would cost if the guard were not there. */
  unguardedUsd: number;
  /** What keeps the worst case where it is. */
  guard: string;
  /** By engine, how the use splits; without it the line is nobody's own. */
  shares?: { expected: Shares; worst: Shares };
}

/** Share of each engine, by name, from 0 to 1; what is left belongs to all. */
export type Shares = Readonly<Record<string, number>>;

/** Each engine's part of a whole. */
export function sharesOf<Usage extends { name: string }>(
  engines: readonly Usage[],
  figure: (usage: Usage) => number,
  whole = engines.reduce((sum, it) => sum + figure(it), 0),
): Shares {
  const all = Math.max(
    whole,
    engines.reduce((sum, it) => sum + figure(it), 0),
  );
  return Object.fromEntries(engines.map((it) => [it.name, all > 0 ? figure(it) / all : 0]));
}

/** The smaller of the limits, and its name: the guard that bounds. The first of equals wins. */
export function lowest(limits: readonly (readonly [amount: number, guard: string])[]): {
  amount: number;
  guard: string;
} {
  let least = limits[0] as readonly [number, string];
  for (const limit of limits) if (limit[0] < least[0]) least = limit;
  return { amount: least[0], guard: least[1] };
}

/** A month that does not fit under its guard costs what the guard lets through. */
export const line = (given: Line): Line => ({
  ...given,
  expectedUsd: Math.min(given.expectedUsd, given.worstUsd),
});
