/** The HPA's `behavior` with what Kubernetes fills in where a ScaledObject says nothing. */
import type { Behavior, ScalingRules } from "../keda/scaled-object.ts";

/** As it is written; each part may be left out. */
export interface GivenBehavior {
  scaleUp?: Partial<ScalingRules> | undefined;
  scaleDown?: Partial<ScalingRules> | undefined;
}

/** https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior */
const SCALE_UP: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};

const SCALE_DOWN: ScalingRules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};

/** Given policies replace the whole list; all other parts are filled one by one. */
export function fillBehavior(given: GivenBehavior): Behavior {
  return {
    scaleUp: { ...SCALE_UP, ...given.scaleUp },
    scaleDown: { ...SCALE_DOWN, ...given.scaleDown },
  };
}

/** What KEDA gives to the HPA: the pause annotations disable one direction each. */
export function behaviorOf(scaledObject: {
  behavior?: Behavior;
  pausedScaleIn: boolean;
  pausedScaleOut: boolean;
}): Behavior | undefined {
  const { behavior, pausedScaleIn, pausedScaleOut } = scaledObject;
  if (!pausedScaleIn && !pausedScaleOut) return behavior;
  const { scaleUp, scaleDown } = behavior ?? fillBehavior({});
  return {
    scaleUp: pausedScaleOut ? { ...scaleUp, selectPolicy: "Disabled" } : scaleUp,
    scaleDown: pausedScaleIn ? { ...scaleDown, selectPolicy: "Disabled" } : scaleDown,
  };
}
