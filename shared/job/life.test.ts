/** The invariants at the head of life.ts: each is cited in every file that it names. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const FOLDERS = ["./", "../broker/", "../wire/"];

async function readSource(name: string): Promise<string> {
  for (const folder of FOLDERS) {
    const found = await readFile(new URL(folder + name, import.meta.url), "utf8").catch(() => "");
    if (found !== "") return found;
  }
  throw new Error(`life.ts names ${name}, which is in none of ${FOLDERS.join(", ")}`);
}

const life = await readSource("life.ts");
const [head = "", rest = ""] = life.split(/^ \*\/$/m);
const invariants = head.split(/^ \* (?=I\d+\. )/m).slice(1);

test.each(invariants)("%s", async (invariant) => {
  const [number = ""] = /^I\d+/.exec(invariant) ?? [];
  const files = invariant.match(/[a-z-]+\.(?:ts|lua)/g) ?? [];
  expect(files).not.toEqual([]);
  for (const file of files) {
    const source = file === "life.ts" ? rest : await readSource(file);
    expect(source, `${file} does not cite ${number}`).toMatch(new RegExp(`\\b${number}\\b`));
  }
});
