/** What a worker's start finds of zod. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

function languages(prelude: string): number {
  const program = `${prelude}
    const { z } = await import("zod");
    console.log(Object.keys(z.locales).length);`;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: import.meta.dirname,
      encoding: "utf8",
    }),
  );
}

test("one language instead of sixty", () => {
  const hook = JSON.stringify(new URL("./zod-insides.ts", import.meta.url).href);
  expect(languages("")).toBeGreaterThan(30);
  expect(languages(`(await import(${hook})).withoutLocales();`)).toBe(1);
});
