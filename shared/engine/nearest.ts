/** Which known name a misspelt one is likely to stand for. */
import leven from "leven";

/** Case, and how words are put together, are no difference: `max_input_bytes` is `maxInputBytes`. */
const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** The known name that the fewest edits, and at most `edits`, lead to; undefined where there is none. */
export function nearest(name: string, known: Iterable<string>, edits: number): string | undefined {
  const sought = plain(name);
  let best: string | undefined;
  let least = edits + 1;
  for (const candidate of known) {
    const other = plain(candidate);
    // No fewer edits than that; it spares the counting for most of a long list.
    if (Math.abs(other.length - sought.length) >= least) continue;
    const distance = leven(sought, other, { maxDistance: least });
    if (distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}
