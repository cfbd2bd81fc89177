/** The Secrets that the pods need, as the template for those without an operator names them. */
import { readOnce } from "../kustomize/files.ts";
import { type AppliedObject, applied, placed } from "../kustomize/placed.ts";
import { mapIn } from "../read/value-at.ts";
import type { World } from "./world.ts";

export const TEMPLATE = "manifests/addons/secrets.template.yaml";

/**
 * The Secrets with their keys, which no manifest but the template may hold. Its last one stands for
 * every engine's.
 */
export function secretTemplates({ files, engines }: World): AppliedObject[] {
  const text = files.read(TEMPLATE);
  if (text === undefined) return [];
  const secrets = readOnce(TEMPLATE, text).objects.map((object) => applied(placed(object)));
  const pattern = secrets.at(-1);
  const missing = engines.filter(({ name }) => !secrets.some((secret) => secret.name === name));
  return [...secrets, ...(pattern ? missing.map(({ name }) => ({ ...pattern, name })) : [])];
}

/** What an engine with `files` reads of its Secret, beside the others' keys. */
const FILES_KEYS = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];

/** The keys that a Secret must have, and no others. */
export const wantedKeys = ({ engines }: World, secret: AppliedObject) => {
  const keepsFiles = engines.some(({ name, files }) => name === secret.name && files);
  return keepsFiles ? [...keysOf(secret), ...FILES_KEYS] : keysOf(secret);
};

export const keysOf = (secret: AppliedObject) => Object.keys(mapIn(secret, ["stringData"]));
