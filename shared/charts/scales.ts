/** Scales and round ticks of a chart, and how many points of a series are enough to draw it. */

/** A tick: where (in data units) and what it says. */
export interface Tick {
  at: number;
  label: string;
}

/** Maps data units to pixels. */
export type Scale = (value: number) => number;

export const linear =
  (fromValue: number, toValue: number, fromPx: number, toPx: number): Scale =>
  (value) =>
    fromPx + ((value - fromValue) / (toValue - fromValue || 1)) * (toPx - fromPx);

/** From 0 to at least `max` in about `count` steps of 1, 2 or 5 times a power of ten; whole steps unless `fractions`. */
export function roundTicks(max: number, count = 5, fractions = false): number[] {
  const rough = Math.max(max, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough) ?? 10;
  const step = fractions ? factor * power : Math.max(1, factor * power);
  const steps = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

/** Indexes of a long series that are enough to draw it: at most about `most`, the last included. */
export function thinned(length: number, most = 480): number[] {
  const step = Math.max(1, Math.ceil(length / most));
  const indexes: number[] = [];
  for (let i = 0; i < length; i += step) indexes.push(i);
  if (length > 0 && indexes.at(-1) !== length - 1) indexes.push(length - 1);
  return indexes;
}
