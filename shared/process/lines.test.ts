/** A line ends at a line feed and nowhere else, however its bytes come. */
import { readdirSync, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { forEachLine, linesOf } from "./lines.ts";

const SEPARATORS = ["\u2028", "\u2029", "\u0085", "\r", "\v"];

async function bothWays(bytes: () => Readable): Promise<[string[], string[]]> {
  const pulled = await Array.fromAsync(linesOf(bytes()));
  const pushed: string[] = [];
  const input = bytes();
  forEachLine(input, (line) => pushed.push(line));
  await new Promise((resolve) => input.once("close", resolve));
  return [pulled, pushed];
}

test("at no other separator, whatever JSON holds", async () => {
  const line = JSON.stringify({ msg: `a${SEPARATORS.join("b")}` });
  for (const lines of await bothWays(() => Readable.from([`${line}\n${line}\n\nrest`])))
    expect(lines).toEqual([line, line, "", "rest"]);
});

test("wherever the bytes are cut, also within a character", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom("a", "ñ", "🙂", ...SEPARATORS) })),
      fc.integer({ min: 1, max: 5 }),
      async (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        for (const read of await bothWays(() => Readable.from(chunks, { objectMode: false })))
          expect(read).toEqual(lines);
      },
    ),
    { numRuns: 50 },
  );
});

test("nobody reads lines in another way", () => {
  const root = new URL("../..", import.meta.url);
  const sources = ["scripts", "shared", "workers"].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
      .map((path) => `${folder}/${path}`),
  );
  const others = sources.filter((path) =>
    /from "(?:node:)?readline/.test(readFileSync(new URL(path, root), "utf8")),
  );
  expect(others).toEqual([]);
});
