/** Which faults come when: every kind once, then by weight; alone at first, later also in pairs. */

import type { Random } from "../../show/random.ts";
import type { Fault } from "./faults/fault.ts";

/** Faults that are injected together. */
export type Round = Fault[];

/** @returns rounds that hold `count` faults in all. */
export function scheduleFaults(kinds: readonly Fault[], count: number, random: Random): Round[] {
  const sequence = random.shuffle(kinds).slice(0, count);
  while (sequence.length < count) sequence.push(pickByWeight(kinds, random));
  const shuffled = random.shuffle(sequence);

  const rounds: Round[] = [];
  const singles = Math.ceil(count / 3);
  for (let index = 0; index < shuffled.length; index++) {
    const first = shuffled[index] as Fault;
    const second = shuffled[index + 1];
    if (second && index >= singles && canPair(first, second) && random.chance(0.7)) {
      rounds.push([first, second]);
      index++;
    } else rounds.push([first]);
  }
  return rounds;
}

/** The rounds that hold the faults from `from` up to, without, `to`. */
export function partOf(rounds: Round[], from: number, to: number): Round[] {
  let count = 0;
  return rounds.filter(({ length }) => {
    const first = count;
    count += length;
    return first >= from && first < to;
  });
}

function canPair(first: Fault, second: Fault): boolean {
  return (
    first.kind !== second.kind &&
    !first.isAlone &&
    !second.isAlone &&
    !first.touches.some((thing) => second.touches.includes(thing))
  );
}

function pickByWeight(kinds: readonly Fault[], random: Random): Fault {
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
  let left = random.next() * total;
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return kinds.at(-1) as Fault;
}
