/** The contract of the last release, docs/contract/baseline/: what `make check` compares today's with. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EngineContract } from "../../contract.ts";
import { breakText, contractBreaks } from "./contract-breaks.ts";

const CURRENT = "docs/contract";
export const BASELINE = `${CURRENT}/baseline`;

/** @returns the contracts of the last release, none where there was no release yet. */
async function readBaseline(root: string): Promise<EngineContract[]> {
  const names = await readdir(join(root, BASELINE)).catch(() => []);
  const files = names.filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    files.map(async (name): Promise<EngineContract> => {
      const path = `${BASELINE}/${name}`;
      const text = await readFile(join(root, path), "utf8");
      try {
        return JSON.parse(text) as EngineContract;
      } catch (cause) {
        throw new Error(`${path} is no JSON; take it from the last release: git checkout ${path}`, {
          cause,
        });
      }
    }),
  );
}

/** What a release promises from now on: copies of the contract's files as they are generated today. */
export async function writeBaseline(root: string, engines: string[]): Promise<string[]> {
  const folder = join(root, BASELINE);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return Promise.all(
    engines.map(async (engine) => {
      const text = await readFile(join(root, CURRENT, `${engine}.json`), "utf8");
      await writeFile(join(folder, `${engine}.json`), text);
      return `${BASELINE}/${engine}.json`;
    }),
  );
}

/** What the contract breaks since the last release, as text, and whether it must not stay so. */
export async function compatibilityReport(
  root: string,
  current: EngineContract[],
): Promise<{ lines: string[]; breaks: number }> {
  const found = contractBreaks(await readBaseline(root), current);
  const lines = found.map((one) => {
    const file = `${one.engine}.json`;
    return breakText(one, { baseline: `${BASELINE}/${file}`, current: `${CURRENT}/${file}` });
  });
  return { lines, breaks: found.filter(({ isWarning }) => !isWarning).length };
}
