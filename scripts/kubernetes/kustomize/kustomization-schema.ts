/** What this reader knows of a kustomization; any other field is a problem, never passed over. */
import { z } from "zod";

/** kustomize takes these as expressions for the whole text. */
const Pattern = z.string().refine(isExpression, { error: "is no regular expression" }).optional();

function isExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

const Target = z.strictObject({
  group: Pattern,
  version: Pattern,
  kind: Pattern,
  name: Pattern,
  namespace: Pattern,
  labelSelector: z
    .string()
    .regex(/^[^=!,]+=[^=!,]*(,[^=!,]+=[^=!,]*)*$/, "only key=value pairs are known here")
    .optional(),
});

const Generator = z.strictObject({
  name: z.string(),
  behavior: z.enum(["create", "merge", "replace"]).optional(),
  literals: z.array(z.string()).optional(),
  envs: z.array(z.string()).optional(),
  files: z.array(z.string()).optional(),
  options: z.strictObject({ disableNameSuffixHash: z.boolean().optional() }).optional(),
});

/** https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/ */
export const Kustomization = z.strictObject({
  apiVersion: z.enum(["kustomize.config.k8s.io/v1beta1", "kustomize.config.k8s.io/v1alpha1"]),
  kind: z.enum(["Kustomization", "Component"]),
  namespace: z.string().optional(),
  resources: z.array(z.string()).optional(),
  components: z.array(z.string()).optional(),
  patches: z
    .array(
      z
        .strictObject({
          path: z.string().optional(),
          patch: z.string().optional(),
          target: Target.optional(),
          options: z
            .strictObject({
              allowNameChange: z.boolean().optional(),
              allowKindChange: z.boolean().optional(),
            })
            .optional(),
        })
        .refine(({ path, patch }) => (path === undefined) !== (patch === undefined), {
          error: "needs either path or patch",
        }),
    )
    .optional(),
  labels: z
    .array(
      z.strictObject({
        pairs: z.record(z.string(), z.string()),
        includeSelectors: z.boolean().optional(),
        includeTemplates: z.boolean().optional(),
      }),
    )
    .optional(),
  images: z
    .array(
      z.strictObject({
        name: z.string(),
        newName: z.string().optional(),
        newTag: z.string().optional(),
        digest: z.string().optional(),
      }),
    )
    .optional(),
  configMapGenerator: z.array(Generator).optional(),
});
export type Kustomization = z.output<typeof Kustomization>;
export type Generator = z.output<typeof Generator>;
export type Target = z.output<typeof Target>;
