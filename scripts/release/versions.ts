/** The version in our own package.json files and in the lock file, which name each other's too. */

const OURS = /^(?:tl-engine$|@tl-engine\/)/;

/** The text of a package.json with the version, laid out as before; undefined where it is none of ours. */
export function bumpManifest(text: string, version: string): string | undefined {
  const { name, version: before } = JSON.parse(text) as { name?: string; version?: string };
  if (!before || !OURS.test(name ?? "")) return undefined;
  return text
    .replace(/^( {2}"version": )"[^"]+"/m, `$1"${version}"`)
    .replaceAll(/("@tl-engine\/[\w-]+": )"\d[^"]*"/g, `$1"${version}"`);
}

interface Locked {
  version?: string;
  dependencies?: Record<string, string>;
}

/** The lock file with the version, in npm's layout. */
export function bumpLockfile(text: string, version: string): string {
  const lock = JSON.parse(text) as Locked & { packages: Record<string, Locked> };
  lock.version = version;
  for (const [path, locked] of Object.entries(lock.packages)) {
    // What is in node_modules is others', or a link to one of ours.
    if (path.startsWith("node_modules/") || !locked.version) continue;
    locked.version = version;
    for (const [name, wanted] of Object.entries(locked.dependencies ?? {}))
      if (locked.dependencies && OURS.test(name) && /^\d/.test(wanted))
        locked.dependencies[name] = version;
  }
  return `${JSON.stringify(lock, null, 2)}\n`;
}
