/** A ScaledObject for tests: KEDA's defaults, and what a test says. */
import { readObjects } from "../../../kubernetes/read/documents.ts";
import { parseScaledObjects } from "../read-scaled-objects.ts";
import type { ScaledObject } from "../scaled-object.ts";
import { PLACEHOLDER_CREDENTIALS } from "../trigger-authentication.ts";

const YAML = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: activities
spec:
  scaleTargetRef:
    name: activities
  triggers:
    - type: rabbitmq
      metadata:
        queueName: engine.activities
        host: http://guest:guest@broker.invalid/%2Fengine
        mode: QueueLength
        value: "10"
`;

/** @param triggers how many, all alike. */
export function scaledObjectOf(parts: Partial<ScaledObject>, triggers = 1): ScaledObject {
  const { objects } = readObjects("activities.yaml", YAML);
  const [parsed] = parseScaledObjects(objects, PLACEHOLDER_CREDENTIALS).scaledObjects;
  if (!parsed) throw new Error("the test's own YAML has a problem");
  return { ...parsed, triggers: Array(triggers).fill(parsed.triggers[0]), ...parts };
}
