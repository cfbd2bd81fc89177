/**
 * The parts that an engine has, outside of its code: the one list that the scaffold makes and that a
 * test demands of every engine. A new kind of part (a manifest, a dashboard row) is one more entry.
 */

export interface Part {
  /** Path in the repository. */
  path(engine: string): string;
  /** File of `template/` that a new engine begins with; undefined for what a generator writes. */
  template?: string;
  /** Which engines must have it; `new`: where the scaffold puts it, though an engine may do without. */
  neededBy: "every engine" | "engines with actions" | "new";
}

export const PARTS: Part[] = [
  {
    path: (engine) => `workers/${engine}/package.json`,
    template: "package.json",
    neededBy: "every engine",
  },
  {
    path: (engine) => `workers/${engine}/index.ts`,
    template: "index.ts",
    neededBy: "every engine",
  },
  { path: (engine) => `workers/${engine}/schemas.ts`, template: "schemas.ts", neededBy: "new" },
  {
    path: (engine) => `workers/${engine}/index.test.ts`,
    template: "index.test.ts",
    neededBy: "new",
  },
  {
    path: (engine) => `workers/${engine}/conformance.test.ts`,
    template: "conformance.test.ts",
    neededBy: "engines with actions",
  },
  // Written by scripts/contract.ts from the definition.
  { path: (engine) => `docs/contract/${engine}.json`, neededBy: "engines with actions" },
];
