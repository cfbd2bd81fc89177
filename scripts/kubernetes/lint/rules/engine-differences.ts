/** An engine's folder says how it differs from the one worker, and nothing else. */
import { isDeepStrictEqual } from "node:util";
import { compose } from "../../kustomize/compose.ts";
import { readOnce } from "../../kustomize/files.ts";
import { pointerOf } from "../../kustomize/patches.ts";
import { type AppliedObject, applied, placed } from "../../kustomize/placed.ts";
import { listIn, textIn, valueAt } from "../../read/value-at.ts";
import type { Report, Rule } from "../world.ts";

const WORKER = "manifests/base/worker";
const ENGINES = "manifests/base/engines";

const FIELDS = ["apiVersion", "kind", "resources", "components", "labels", "images", "patches"];
/** What an engine may add by a line: ports of the internet. */
const COMPONENTS = ["../../outbound", "../../outbound/http", "../../outbound/smtp"];
const CONTAINER = "/spec/template/spec/containers/0";
/** What an engine may have of its own: name, Secret, variables, size, time to leave, and what it reaches. */
const OWN = [
  "/metadata/name",
  `${CONTAINER}/envFrom/1/secretRef/name`,
  `${CONTAINER}/env/`,
  `${CONTAINER}/resources/`,
  "/spec/template/spec/terminationGracePeriodSeconds",
  "/spec/egress/",
];
const isOwn = (path: string) =>
  OWN.some((own) => (own.endsWith("/") ? path.startsWith(own) : path === own));

const engineDifferences: Rule = {
  name: "engine-differences",
  reason:
    "what every engine has stands in one place, where a change reaches all of them, and what one has of its own is seen at a glance",
  check(world, report) {
    const worker = compose(world.files, WORKER).objects;
    for (const { name } of world.engines) {
      const file = `${ENGINES}/${name}/kustomization.yaml`;
      const [source] = readOnce(file, world.files.read(file) ?? "").objects;
      if (!source) continue;
      const engine = applied(placed(source));
      checkFields(engine, report);
      for (const index of listIn(engine, ["patches"]).keys())
        checkPatch(engine, index, worker, report);
    }
  },
};

function checkFields(engine: AppliedObject, report: Report): void {
  for (const field of Object.keys(engine.value).filter((key) => !FIELDS.includes(key)))
    report(
      engine.placeOf([field]),
      `an engine's folder has ${field}`,
      `write it in ${WORKER} for every engine, or in the overlay of an environment`,
    );
  if (!isDeepStrictEqual(valueAt(engine, ["resources"]), ["../../worker"]))
    report(
      engine.placeOf(["resources"]),
      "an engine is made of something else than the one worker",
      "write ../../worker alone under resources:, and patch what differs",
    );
  for (const [index, component] of listIn(engine, ["components"]).entries())
    if (!COMPONENTS.includes(String(component)))
      report(
        engine.placeOf(["components", index]),
        `an engine has the component ${String(component)}, which is not for engines`,
        `take it out; there are ${COMPONENTS.join(", ")}`,
      );
}

function checkPatch(
  engine: AppliedObject,
  index: number,
  worker: readonly AppliedObject[],
  report: Report,
): void {
  const at = ["patches", index, "patch"];
  const { file, line } = engine.placeOf(at);
  const text = textIn(engine, at);
  // A list is no object to the reader, so it gets a name; the text begins on the line after its key.
  const [list] = readOnce(file, `operations:\n${text}`).objects;
  const count = list ? listIn(list, ["operations"]).length : 0;
  if (!list || count === 0)
    report(
      { file, line },
      "the patch of an engine is no list of operations",
      "write it under patch: as JSON6902, which names each difference by its path",
    );
  const kind = textIn(engine, ["patches", index, "target", "kind"]);
  const patched = worker.filter((object) => kind === "" || object.kind === kind);
  for (let number = 0; list && number < count; number++) {
    const operation = ["operations", number];
    const path = textIn(list, [...operation, "path"]);
    const value = valueAt(list, [...operation, "value"]);
    const place = { file, line: list.lineOf(operation) + line - 1 };
    if (!isOwn(path))
      report(
        place,
        `an engine changes ${path}, which is the same for all`,
        `change it in ${WORKER}, or take it out`,
      );
    else if (patched.some((object) => isDeepStrictEqual(valueAt(object, pointerOf(path)), value)))
      report(
        place,
        `${path} is what ${WORKER} has, too`,
        "take it out: only differences stand here",
      );
  }
}

export const ENGINE_DIFFERENCE_RULES: Rule[] = [engineDifferences];
