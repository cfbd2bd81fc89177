/** The schemas' types, enums, required and unknown fields, for every kind that is known. */
import { describe, expect, test } from "vitest";
import { compose } from "../kustomize/compose.ts";
import { repositoryFiles } from "../kustomize/files.ts";
import { applied, placed } from "../kustomize/placed.ts";
import { readObjects } from "../read/documents.ts";
import { schemaProblems } from "./schemas.ts";

const problemsOf = async (text: string) => {
  const [object] = readObjects("x.yaml", text).objects;
  if (!object) throw new Error("no object");
  return await schemaProblems(applied(placed(object)));
};

const { objects } = compose(repositoryFiles(), "manifests/overlays/dev");

describe.each(objects.map((object) => ({ object, title: `${object.kind} ${object.name}` })))(
  "$title",
  ({ object }) => {
    test("is clean, and an unknown field at its top is told", async () => {
      expect(await schemaProblems(object)).toEqual([]);
      const more = { ...object, value: { ...object.value, surplus: 1 } };
      expect(await schemaProblems(more)).toEqual([
        expect.objectContaining({
          rule: "unknown-field",
          message: expect.stringMatching(/surplus/),
        }),
      ]);
    });
  },
);

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: a
  labels: { any: thing }
spec:
  podSelector:
    matchLabels: { any: thing }
  policyTypes: [Egress]
`;

test.each([
  [POLICY.replace("policyTypes", "policyType"), 9, "unknown-field", /policyType$/, /policyTypes/],
  [POLICY.replace("matchLabels", "matchLables"), 8, "unknown-field", /matchLables/, /matchLabels/],
  [POLICY.replace("{ any: thing }", "{ any: 1 }"), 5, "schema", /string/, /./],
  [POLICY.replace("[Egress]", "Egress"), 9, "schema", /array/, /./],
  [POLICY.replace("NetworkPolicy", "NetworkPolice"), 1, "unknown-kind", /NetworkPolice/, /./],
])("%# is told", async (text, line, rule, message, fix) => {
  expect(await problemsOf(text)).toContainEqual({
    file: "x.yaml",
    line,
    rule,
    message: expect.stringMatching(message),
    fix: expect.stringMatching(fix),
  });
});

test("what is required is missed", async () => {
  const text =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n  template: {}\n";
  expect(await problemsOf(text)).toContainEqual(
    expect.objectContaining({ rule: "schema", line: 5, message: "spec lacks selector" }),
  );
});
