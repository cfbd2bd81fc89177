/** Whole numbers drawn at random: how many jobs come in a second, and how a fraction is rounded. */
import type { Random } from "../../show/random.ts";

/** Above this mean a Poisson deviate is taken for a rounded normal one: their distributions differ by < 1 %. */
const NORMAL_FROM = 64;

/** A Poisson deviate: Knuth's product of uniforms (The Art of Computer Programming 2, 3.4.1), or normal for large means. */
export function poisson(random: Random, mean: number): number {
  if (mean <= 0) return 0;
  if (mean >= NORMAL_FROM) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.next(); product > limit; product *= random.next()) count++;
  return count;
}

/** Up or down, so that the mean over many roundings is the value itself. */
export function roundAtRandom(random: Random, value: number): number {
  const whole = Math.floor(value);
  return value > whole && random.next() < value - whole ? whole + 1 : whole;
}
