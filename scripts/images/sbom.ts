/**
 * Completes an image's SBOM inside of its build: npm lists the packages that it installed, and this adds
 * what else runs, Node and the libraries that it is linked with.
 *
 * `npm sbom --sbom-format cyclonedx | node sbom.ts <folder of dpkg records>`
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

interface Component {
  type: string;
  "bom-ref": string;
  name: string;
  version: string;
  purl: string;
  licenses?: unknown;
}

export interface Sbom {
  metadata: { component: { name: string } };
  components: Component[];
}

export function nodeComponent(version: string): Component {
  const purl = `pkg:generic/node@${version}`;
  const licenses = [{ license: { id: "MIT" } }];
  return { type: "platform", "bom-ref": purl, name: "node", version, purl, licenses };
}

/** From the record of an installed package, in dpkg's `Field: value` lines. */
export function debianComponent(record: string): Component {
  const field = (name: string) => {
    const value = new RegExp(`^${name}: (.+)$`, "m").exec(record)?.[1];
    if (value === undefined) throw new TypeError(`a dpkg record without ${name}:\n${record}`);
    return value;
  };
  const [name, version] = [field("Package"), field("Version")];
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${field("Architecture")}`;
  return { type: "library", "bom-ref": purl, name, version, purl };
}

async function main(folder: string): Promise<void> {
  const sbom = JSON.parse(await text(process.stdin)) as Sbom;
  const records = readdirSync(folder).sort();
  sbom.components.push(
    nodeComponent(process.versions.node),
    ...records.map((name) => debianComponent(readFileSync(join(folder, name), "utf8"))),
  );
  // npm names it after the folder of the build.
  sbom.metadata.component.name = "tl-engine";
  process.stdout.write(`${JSON.stringify(sbom, null, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main(process.argv[2] ?? "");
