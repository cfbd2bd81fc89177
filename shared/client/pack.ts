/**
 * `npm pack` runs this before and after: outside of the repository the package is its compiled dist/,
 * inside it is its TypeScript, and npm has no other place than package.json to say so.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const PACKAGE = join(FOLDER, "package.json");
const DIST = join(FOLDER, "dist");
/** npm takes it in from the package's own folder alone. */
const LICENSE = join(FOLDER, "LICENSE");
const INSIDE = "./index.ts";
const OUTSIDE = { types: "./dist/client/index.d.ts", default: "./dist/client/index.js" };

/** Sets where the package's name leads; doing it twice, or after a crash, does no harm. */
function setExports(target: typeof INSIDE | typeof OUTSIDE): void {
  const manifest = JSON.parse(readFileSync(PACKAGE, "utf8"));
  manifest.exports = { ".": target };
  writeFileSync(PACKAGE, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** tsc rewrites the imports of .js files, but not those of declarations. */
function rewriteDeclarations(): void {
  for (const name of globSync("**/*.d.ts", { cwd: DIST })) {
    const text = readFileSync(join(DIST, name), "utf8");
    writeFileSync(join(DIST, name), text.replace(/(from "\.\.?\/[^"]+)\.ts"/g, '$1.js"'));
  }
}

switch (process.argv[2]) {
  case "prepare":
    rmSync(DIST, { recursive: true, force: true });
    execFileSync(join(FOLDER, "../../node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
      cwd: FOLDER,
      stdio: ["ignore", process.stderr, process.stderr],
    });
    rewriteDeclarations();
    copyFileSync(join(FOLDER, "../../LICENSE"), LICENSE);
    setExports(OUTSIDE);
    break;
  case "restore":
    rmSync(LICENSE, { force: true });
    setExports(INSIDE);
    break;
  default:
    throw new Error("usage: pack.ts prepare|restore; npm pack runs both");
}
