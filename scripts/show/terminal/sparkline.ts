/** The recent past of a figure, drawn in one row. */

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** The last `width` values, the highest of them as a full block; 0 is a blank, anything above is seen. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const highest = Math.max(0, ...shown);
  const cells = shown.map((value) =>
    value <= 0 ? " " : BLOCKS[Math.max(0, Math.ceil((value / highest) * BLOCKS.length) - 1)],
  );
  return cells.join("").padStart(width);
}
