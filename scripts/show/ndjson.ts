/** The lines of a stream of NDJSON. */
import type { Readable } from "node:stream";

/** Node's readline ends a line at U+2028 as well, which JSON may hold in a text. */
export async function* linesOf(input: Readable): AsyncGenerator<string> {
  input.setEncoding("utf8");
  let begun: string[] = [];
  for await (const chunk of input) {
    const [first = "", ...others] = String(chunk).split("\n");
    begun.push(first);
    for (const next of others) {
      yield begun.join("");
      begun = [next];
    }
  }
  yield begun.join("");
}
