/** How many pods of an engine there may be, from its ScaledObject: what bounds its connections. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readScaledObjects } from "../../scaling/keda/read-scaled-objects.ts";
import { PLACEHOLDER_CREDENTIALS } from "../../scaling/keda/trigger-authentication.ts";

const KEDA = fileURLToPath(new URL("../../../keda", import.meta.url));

/** Undefined where keda/ has no good ScaledObject of the engine. */
export function readMaxReplicas(engine: string): number | undefined {
  const names = readdirSync(KEDA).filter((name) => name.endsWith(".yaml"));
  const files = names.map((name) => join(KEDA, name));
  const { scaledObjects } = readScaledObjects(files, PLACEHOLDER_CREDENTIALS);
  return scaledObjects.find(({ target }) => target === engine)?.maxReplicaCount;
}
