/** What may stand in a ScaledObject: KEDA's CRD and the HPA's own checks, as far as the tools know them. */
import { z } from "zod";

const int32 = z.int().min(0).max(2_147_483_647);

const rules = z.strictObject({
  stabilizationWindowSeconds: z.int().min(0).max(3_600).optional(),
  selectPolicy: z.enum(["Max", "Min", "Disabled"]).optional(),
  /** A Kubernetes quantity. */
  tolerance: z
    .union([z.number().min(0), z.string().regex(/^\d+(\.\d+)?m?$/)])
    .transform((given) => {
      const text = String(given);
      return text.endsWith("m") ? Number(text.slice(0, -1)) / 1_000 : Number(text);
    })
    .optional(),
  policies: z
    .array(
      z.strictObject({
        type: z.enum(["Pods", "Percent"]),
        value: z.int().min(1),
        periodSeconds: z.int().min(1).max(1_800),
      }),
    )
    .min(1)
    .optional(),
});

const trigger = z.strictObject({
  type: z.string().min(1),
  name: z.string().optional(),
  metricType: z.enum(["AverageValue", "Value", "Utilization"]).default("AverageValue"),
  useCachedMetrics: z.boolean().default(false),
  /** Texts, as the CRD wants them: an unquoted number is refused. */
  metadata: z.record(z.string(), z.string()),
  authenticationRef: z
    .strictObject({
      name: z.string().min(1),
      kind: z.enum(["TriggerAuthentication", "ClusterTriggerAuthentication"]).optional(),
    })
    .optional(),
});

export const ScaledObjectSource = z.looseObject({
  metadata: z.looseObject({
    name: z.string().min(1),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({
      apiVersion: z.string().default("apps/v1"),
      kind: z.string().default("Deployment"),
      name: z.string().min(1),
      envSourceContainerName: z.string().optional(),
    }),
    pollingInterval: z.int().min(1).default(30),
    cooldownPeriod: int32.default(300),
    initialCooldownPeriod: int32.default(0),
    /** Default 0; whether it is written makes a difference to `idleReplicaCount`. */
    minReplicaCount: int32.optional(),
    maxReplicaCount: z.int().min(1).default(100),
    idleReplicaCount: z.literal(0).optional(),
    fallback: z
      .strictObject({
        failureThreshold: int32,
        replicas: int32,
        behavior: z.string().default("static"),
      })
      .optional(),
    advanced: z
      .strictObject({
        restoreToOriginalReplicaCount: z.boolean().optional(),
        horizontalPodAutoscalerConfig: z
          .strictObject({
            name: z.string().optional(),
            behavior: z
              .strictObject({ scaleUp: rules.optional(), scaleDown: rules.optional() })
              .optional(),
          })
          .optional(),
        scalingModifiers: z.looseObject({}).optional(),
      })
      .optional(),
    triggers: z.array(trigger).min(1),
  }),
});

export type ScaledObjectSource = z.infer<typeof ScaledObjectSource>;

/** null stands for "not given" in a manifest; so does, here, an alias of what it stands in. */
export function withoutNulls(value: unknown, within: readonly unknown[] = []): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const inside = [...within, value];
  if (Array.isArray(value)) return value.map((element) => withoutNulls(element, inside));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null && !inside.includes(member))
      .map(([key, member]) => [key, withoutNulls(member, inside)]),
  );
}

const TYPE_NAMES: Record<string, string> = {
  int: "whole number",
  string: "text",
  record: "map",
  object: "map",
  array: "list",
};

/** What zod found, in words for who wrote the file. */
export function describeIssue(issue: z.core.$ZodIssue): { message: string; fix: string } {
  const field = issue.path.length > 0 ? issue.path.join(".") : "the object";
  switch (issue.code) {
    case "unrecognized_keys":
      return {
        message: `${field} has no field ${issue.keys.join(", ")}: the API server drops or refuses it`,
        fix: "remove it, or correct its name",
      };
    case "invalid_type":
      return issue.input === undefined
        ? {
            message: `${field} is missing`,
            fix: `add it: a ${TYPE_NAMES[issue.expected] ?? issue.expected}`,
          }
        : {
            message: `${field} must be of type ${TYPE_NAMES[issue.expected] ?? issue.expected}, unlike ${JSON.stringify(issue.input)}`,
            fix: "write it as that type; only texts are quoted",
          };
    case "invalid_value":
      return {
        message: `${field} must be ${issue.values.join(" or ")}`,
        fix: `write ${issue.values.join(" or ")}`,
      };
    case "too_small":
      return { message: `${field} must be at least ${issue.minimum}`, fix: "raise it" };
    case "too_big":
      return { message: `${field} must be at most ${issue.maximum}`, fix: "lower it" };
    default:
      return { message: `${field}: ${issue.message}`, fix: "correct it" };
  }
}
