/** Puts every overlay together and holds it against the schemas, KEDA's reader and our rules. */
import { basename, dirname } from "node:path/posix";
import { z } from "zod";
import { parseScaledObjects } from "../../scaling/keda/read-scaled-objects.ts";
import { PLACEHOLDER_CREDENTIALS } from "../../scaling/keda/trigger-authentication.ts";
import { Target } from "../deploy/target.ts";
import { compose } from "../kustomize/compose.ts";
import { type Files, readOnce } from "../kustomize/files.ts";
import { type AppliedObject, applied, type Placed, placed } from "../kustomize/placed.ts";
import type { Problem } from "../read/documents.ts";
import { READER_RULES, RULES } from "./rules.ts";
import { schemaProblems } from "./schemas.ts";
import type { Engine, World } from "./world.ts";

export interface Linted {
  files: number;
  objects: number;
  rules: number;
  /** Sorted by file and line, each told once however many overlays have it. */
  problems: Problem[];
}

const OVERLAYS = "manifests/overlays/";
const FILE_OF_FOLDER = "kustomization.yaml";

export async function lintManifests(files: Files, engines: readonly Engine[]): Promise<Linted> {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  let objects = 0;
  for (const { folder, extra } of roots(files)) {
    const composition = compose(files, folder, extra);
    problems.push(...composition.problems);
    for (const file of composition.files) seen.add(file);
    if (extra.length === 0) objects += composition.objects.length;
    problems.push(...(await objectProblems(composition.objects)));
    if (folder.startsWith(OVERLAYS))
      problems.push(...overlayProblems(files, folder, composition.objects, engines, seen));
    else
      problems.push(
        ...ruleProblems(worldOf(files, "dev", composition.objects, []), rulesOutsideOf(folder)),
      );
  }
  problems.push(...(await leftOver(files, seen)));
  return {
    files: seen.size,
    objects,
    rules: RULES.length + Object.keys(READER_RULES).length,
    problems: sorted(problems),
  };
}

interface Root {
  folder: string;
  /** Components that it has, and that are switched on for this look at it. */
  extra: string[];
}

/**
 * What is applied by itself: keda, the overlays, and the addons that are no components. An overlay is looked
 * at once more with each component of its own, which may be off, such as egress-by-host; not where it names
 * its servers' addresses, as that component does not go with them.
 */
function roots(files: Files): Root[] {
  const isRoot = (folder: string) =>
    folder === "keda" || folder.startsWith(OVERLAYS) || folder.startsWith("manifests/addons/");
  const isComponent = (path: string) => /^kind: Component$/m.test(files.read(path) ?? "");
  const paths = files.paths.filter((path) => path.endsWith(`/${FILE_OF_FOLDER}`));
  const components = paths.filter(isComponent).map((path) => dirname(path));
  return paths
    .filter((path) => !isComponent(path) && isRoot(dirname(path)))
    .flatMap((path) => {
      const folder = dirname(path);
      const namesAddresses = /path: \/spec\/egress\//.test(files.read(path) ?? "");
      const own = components.filter((one) => dirname(one) === folder && !namesAddresses);
      return [{ folder, extra: [] }, ...own.map((one) => ({ folder, extra: [basename(one)] }))];
    });
}

const TRY_SERVICES = "manifests/addons/try-services";

/** Rules for what is applied by itself; keda/ goes to dev where no overlay says otherwise. */
function rulesOutsideOf(folder: string): string[] {
  const everywhere = ["object-name", "secret-in-git"];
  if (folder === "keda") return ["namespace", ...everywhere];
  if (folder === TRY_SERVICES) return [...everywhere, ...TRY_SERVICE_RULES];
  return ["argo-replicas", ...everywhere];
}

/**
 * The servers of a try obey what guards the cluster and its bill. They are left out of the rest: their images
 * are others', of a tag that a try may hold for its half hour (pull-policy, image-digest); they answer no
 * /healthz (probes) and no Prometheus (network-metrics); their namespace, release, Secret and PriorityClass
 * come with the overlay that they are applied beside (common-labels, references, default-deny); and
 * the quota's worst case is the environment's, beside which they find room.
 */
const TRY_SERVICE_RULES = [
  "image-pinned",
  "resources",
  "ephemeral-storage",
  "pod-security-restricted",
  "read-only-root",
  "no-token",
  "network-egress-ports",
];

async function objectProblems(objects: AppliedObject[]): Promise<Problem[]> {
  const found = await Promise.all(objects.map(schemaProblems));
  return [...found.flat(), ...parseScaledObjects(objects, PLACEHOLDER_CREDENTIALS).problems];
}

function worldOf(
  files: Files,
  environment: string,
  objects: AppliedObject[],
  engines: readonly Engine[],
): World {
  return {
    environment,
    namespace: `tl-engine-${environment}`,
    objects,
    engines,
    target: undefined,
    files,
  };
}

function overlayProblems(
  files: Files,
  folder: string,
  objects: AppliedObject[],
  engines: readonly Engine[],
  seen: Set<string>,
): Problem[] {
  const environment = folder.slice(OVERLAYS.length);
  const target = readTargetFile(files, `${folder}/target.yaml`);
  seen.add(`${folder}/target.yaml`);
  const world = { ...worldOf(files, environment, objects, engines), target: target.object };
  return [...target.problems, ...ruleProblems(world)];
}

/** @param only names of rules; all of them without it. */
function ruleProblems(world: World, only?: readonly string[]): Problem[] {
  const problems: Problem[] = [];
  for (const { name, check } of RULES) {
    if (only && !only.includes(name)) continue;
    check(world, ({ file, line }, message, fix) =>
      problems.push({ file, line, rule: name, message, fix }),
    );
  }
  return problems;
}

function readTargetFile(files: Files, file: string) {
  const problem = (line: number, message: string): Problem => ({
    file,
    line,
    rule: "target-file",
    message,
    fix: "write it as the other environment's",
  });
  const text = files.read(file);
  if (text === undefined) return { object: undefined, problems: [problem(1, "does not exist")] };
  const { objects, problems } = readOnce(file, text);
  const [source] = objects;
  if (!source) return { object: undefined, problems };
  const object = applied(placed(source));
  const parsed = Target.safeParse(source.value);
  for (const issue of parsed.error?.issues ?? []) {
    const more = issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
    const line = object.lineOf([...issue.path, ...more] as string[]);
    problems.push(
      problem(line, z.prettifyError(new z.ZodError([issue])).replaceAll(/\s*\n\s*/g, " ")),
    );
  }
  return { object: parsed.success ? object : undefined, problems };
}

/** YAML that no kustomization lists: the schema of a template, and a manifest that was forgotten. */
async function leftOver(files: Files, seen: Set<string>): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const file of files.paths.filter((path) => /\.ya?ml$/.test(path) && !seen.has(path))) {
    if (file.endsWith(FILE_OF_FOLDER)) continue;
    const read = readOnce(file, files.read(file) ?? "");
    problems.push(...read.problems);
    // Others are figures and values for tools, which check them themselves.
    const objects = read.objects.filter(({ apiVersion, kind }) => apiVersion !== "" && kind !== "");
    const nodes: Placed[] = objects.map((object) => placed(object));
    problems.push(
      ...(await Promise.all(nodes.map((node) => schemaProblems(applied(node))))).flat(),
    );
    if (objects.length > 0 && !file.endsWith(".template.yaml"))
      problems.push({
        file,
        line: 1,
        rule: "unused-file",
        message: "no kustomization lists this file",
        fix: "list it under resources:, or delete it",
      });
  }
  return problems;
}

function sorted(problems: Problem[]): Problem[] {
  const unique = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...unique.values()].sort(
    (a, b) =>
      a.file.localeCompare(b.file) ||
      a.line - b.line ||
      a.rule.localeCompare(b.rule) ||
      a.message.localeCompare(b.message),
  );
}
