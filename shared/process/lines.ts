/** The lines of a stream. Node's readline ends one at U+2028 as well, which a text of JSON may hold. */
import type { Readable } from "node:stream";

/** Each line as soon as it is whole, and what comes after the last break. The stream must have no other reader. */
export function forEachLine(input: Readable, onLine: (line: string) => void): void {
  const lines = new Lines();
  input.setEncoding("utf8");
  input.on("data", (chunk) => lines.take(String(chunk)).forEach(onLine));
  input.on("end", () => lines.rest().forEach(onLine));
}

/** The same for whoever reads at its own pace. */
export async function* linesOf(input: Readable): AsyncGenerator<string> {
  const lines = new Lines();
  input.setEncoding("utf8");
  for await (const chunk of input) yield* lines.take(String(chunk));
  yield* lines.rest();
}

class Lines {
  #begun: string[] = [];

  take(chunk: string): string[] {
    const [first = "", ...others] = chunk.split("\n");
    this.#begun.push(first);
    const ended: string[] = [];
    for (const next of others) {
      ended.push(this.#begun.join(""));
      this.#begun = [next];
    }
    return ended;
  }

  rest(): string[] {
    const rest = this.#begun.join("");
    return rest === "" ? [] : [rest];
  }
}
