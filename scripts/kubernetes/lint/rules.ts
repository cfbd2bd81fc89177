/** All rules, those of the readers included: each has a name and a reason. */
import { CAPACITY_RULES } from "./rules/capacity.ts";
import { CONFIGURATION_RULES } from "./rules/configuration.ts";
import { ENGINE_DIFFERENCE_RULES } from "./rules/engine-differences.ts";
import { ENGINE_RULES } from "./rules/engines.ts";
import { HOST_RULES } from "./rules/hosts.ts";
import { IMAGE_RULES } from "./rules/images.ts";
import { LABEL_RULES } from "./rules/labels.ts";
import { NETWORK_RULES } from "./rules/network.ts";
import { OUTBOUND_RULES } from "./rules/outbound.ts";
import { POD_SECURITY_RULES } from "./rules/pod-security.ts";
import { POD_RULES } from "./rules/pods.ts";
import { REFERENCE_RULES } from "./rules/references.ts";
import { SCALING_RULES } from "./rules/scaling.ts";
import { SECRET_RULES } from "./rules/secret-keys.ts";
import { STORAGE_RULES } from "./rules/storage.ts";
import { TRY_RULES } from "./rules/tries.ts";
import type { Rule } from "./world.ts";

export const RULES: Rule[] = [
  ...ENGINE_RULES,
  ...ENGINE_DIFFERENCE_RULES,
  ...LABEL_RULES,
  ...SCALING_RULES,
  ...CAPACITY_RULES,
  ...IMAGE_RULES,
  ...POD_RULES,
  ...STORAGE_RULES,
  ...POD_SECURITY_RULES,
  ...NETWORK_RULES,
  ...HOST_RULES,
  ...OUTBOUND_RULES,
  ...CONFIGURATION_RULES,
  ...REFERENCE_RULES,
  ...SECRET_RULES,
  ...TRY_RULES,
];

/** What the readers refuse before any rule looks. */
export const READER_RULES: Record<string, string> = {
  yaml: "broken YAML and repeated keys are read differently by different tools",
  kustomization:
    "a field, a file or a patch that this reader passes over would make it see something else than the cluster gets",
  schema:
    "the API server refuses a wrong type, a wrong word or a missing field, after half of the objects are applied",
  "unknown-field":
    "kubectl only warns of a field with a typo, and what it should have said is not done",
  "unknown-kind": "nothing can be said of a kind without a schema",
  "unused-file": "a manifest that no kustomization lists looks as if it were applied",
  "target-file":
    "target.yaml says what the environment's servers allow, which half of the rules need",
  "keda-schema": "KEDA refuses it, or takes no notice of it",
  "keda-name": "the HPA that KEDA makes allows 54 characters of a ScaledObject's name",
  "keda-replicas": "KEDA's webhook refuses replica counts that contradict each other",
  "keda-target": "two ScaledObjects of one Deployment undo each other's work",
  "keda-trigger": "KEDA's scaler can't be made of it, and the engine is not scaled at all",
  "keda-authentication": "without credentials the trigger errs at each poll",
  "keda-pause": "a paused engine that nobody knows of serves nobody",
  "keda-not-modelled": "the simulator and the local fleet would do something else than KEDA does",
};
