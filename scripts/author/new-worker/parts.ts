/**
 * The parts that an engine has, outside of its code: the one list that the scaffold makes and that a
 * test demands of every engine. A new kind of part (a manifest, a dashboard row) is one more entry.
 */
import { readFileSync } from "node:fs";

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
  {
    path: (engine) => `workers/${engine}/sample-job.ts`,
    template: "sample-job.ts",
    neededBy: "every engine",
  },
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
  {
    path: (engine) => `keda/${engine}.yaml`,
    template: "scaled-object.yaml",
    neededBy: "every engine",
  },
  {
    path: (engine) => `manifests/base/engines/${engine}/kustomization.yaml`,
    template: "engine.yaml",
    neededBy: "every engine",
  },
  {
    path: (engine) => `manifests/addons/external-secrets/${engine}.yaml`,
    template: "external-secret.yaml",
    neededBy: "every engine",
  },
  // Written by scripts/author/contract.ts from the definition.
  { path: (engine) => `docs/contract/${engine}.json`, neededBy: "engines with actions" },
  { path: (engine) => `docs/contract/${engine}.md`, neededBy: "engines with actions" },
];

/** A list of a kustomization.yaml in which every engine has its entry. */
export interface Listing {
  file: string;
  /** The member that is the list. */
  list: "resources" | "images";
  entry(engine: string): string | { name: string; newTag: string };
}

const RESOURCES: Listing[] = [
  { file: "keda/kustomization.yaml", entry: (engine: string) => `${engine}.yaml` },
  { file: "manifests/base/engines/kustomization.yaml", entry: (engine: string) => engine },
  {
    file: "manifests/addons/external-secrets/kustomization.yaml",
    entry: (engine: string) => `${engine}.yaml`,
  },
].map((listing) => ({ ...listing, list: "resources" as const }));
const { version: VERSION } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
) as { version: string };
const IMAGES: Listing[] = ["dev", "staging"].map((environment) => ({
  file: `manifests/overlays/${environment}/kustomization.yaml`,
  list: "images",
  // The tag of a new engine's first image: the version of the repository.
  entry: (engine) => ({ name: `ghcr.io/tiendaleon/tl-engine-${engine}`, newTag: VERSION }),
}));

export const LISTINGS: Listing[] = [...RESOURCES, ...IMAGES];
