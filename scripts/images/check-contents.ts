/** Compares what is inside of an image with what belongs there: every file and every package, and no other. */

export interface Expected {
  /** Our own files, as paths under /app. */
  sources: string[];
  /** `name@version`, the workspaces included. */
  packages: string[];
  /** What the bundler makes, as paths under /app; it may add more files of JavaScript under shared/. */
  bundles: string[];
}

export interface Contents {
  /** Paths of the files and links in the image, without the leading slash. */
  files: string[];
  /** The `bom-ref`s of its SBOM. */
  sbom: string[];
  /** `name@version` of the packages found under /app/node_modules. */
  installed: string[];
}

/** What the build makes itself. The manifests say how npm's packages are found. */
const MADE = /^app\/(sbom\.json|engine|compile-cache\/.+|node_modules\/.+)$/;
/** What the bundles share, with its source maps. */
const BUNDLED = /^app\/shared\/[\w-]+\.js(\.map)?$/;
/** Outside of /app; and what Docker puts into every container. */
const SYSTEM =
  /^(usr\/local\/bin\/node|lib(64)?\/[\w./+-]+\.so[\d.]*|usr\/lib(64)?\/[\w./+-]+\.so[\d.]*|usr\/share\/doc\/[\w.+-]+\/copyright|var\/lib\/dpkg\/status\.d\/[\w.+-]+|etc\/(passwd|group|nsswitch\.conf|os-release))$/;
const DOCKERS = /^(\.dockerenv|dev\/console|etc\/(hostname|hosts|mtab|resolv\.conf))$/;
/** The SBOM's components that are no npm packages. */
const PLATFORM = /^pkg:(generic\/node@|deb\/debian\/)/;

const missingFrom = (there: Iterable<string>, wanted: string[]) => {
  const known = new Set(there);
  return wanted.filter((entry) => !known.has(entry));
};

/** One line per difference; none when the image is as it should be. */
export function contentProblems(contents: Contents, expected: Expected): string[] {
  const { sources, packages, bundles } = expected;
  const ours = [...sources, ...bundles.flatMap((path) => [path, `${path}.map`])]
    // Read by npm at build; nothing needs it later.
    .filter((path) => path !== "package-lock.json")
    .map((path) => `app/${path}`);
  const others = contents.files.filter(
    (path) =>
      !MADE.test(path) &&
      !SYSTEM.test(path) &&
      !DOCKERS.test(path) &&
      !(bundles.length > 0 && BUNDLED.test(path)),
  );
  const npm = contents.sbom.filter((reference) => !PLATFORM.test(reference));
  const say = (problem: string, entries: string[]) =>
    entries.map((entry) => `${problem}: ${entry}`);
  return [
    ...say("missing file", missingFrom(contents.files, ours)),
    ...say("a file that does not belong here", missingFrom(ours, others)),
    ...say("missing package", missingFrom(contents.installed, packages)),
    ...say("a package that is not needed at run time", missingFrom(packages, contents.installed)),
    ...say("missing from the SBOM", missingFrom(npm, packages)),
    ...say("in the SBOM, but not needed at run time", missingFrom(packages, npm)),
    ...(contents.sbom.some((it) => it.startsWith("pkg:generic/node@"))
      ? []
      : ["no Node in the SBOM"]),
    ...(contents.files.some((it) => it.startsWith("app/compile-cache/"))
      ? []
      : ["no compile cache"]),
  ];
}
