/** Nearest-rank percentiles, written on their own so that the check does not lean on the engine's. */

/** The smallest value with at least `percent` (a whole number) of all at or below it; null of nothing. */
export function nearestRank(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  // Multiplied first: 0.07 × 100 is more than 7 in floating point, 7 × 100 / 100 is not.
  const rank = Math.max(1, Math.ceil((percent * sorted.length) / 100));
  return sorted[rank - 1] ?? null;
}
