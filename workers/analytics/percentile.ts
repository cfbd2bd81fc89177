/** Percentiles by nearest rank: always a value that occurred, never one in between. */

/**
 * The smallest value that at least `percent` per cent of the values do not exceed: the inverse of
 * the empirical distribution function, definition 1 in Hyndman and Fan, "Sample Quantiles in
 * Statistical Packages", The American Statistician 50 (1996). `sorted` rises; null when empty.
 */
export function percentile(sorted: ArrayLike<number>, percent: number): number | null {
  if (sorted.length === 0) return null;
  // Rounded, or 0.85 × 20 in floating point would be 17.000000000000004 and its rank 18.
  const rank = Math.ceil(Number(((percent / 100) * sorted.length).toFixed(9)));
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] as number;
}
