/** Resolves a trigger's `authenticationRef`: TriggerAuthentication, then Secret, ConfigMap or environment. */
import { z } from "zod";
import type { SourceObject } from "../../kubernetes/read/documents.ts";
import { withoutNulls } from "./scaled-object-schema.ts";

/** Who knows the values that manifests only point at. */
export interface Credentials {
  /**
   * A key of a Secret or a ConfigMap. `parameter` is what a TriggerAuthentication takes it for.
   * undefined: there is no such key.
   */
  secret(reference: { parameter: string; name: string; key: string }): string | undefined;
  /** A variable of the container that is scaled. */
  environment(name: string): string | undefined;
}

/** For lint and simulation, where no real secret is at hand. */
export const PLACEHOLDER_CREDENTIALS: Credentials = {
  secret: ({ parameter }) => placeholders[parameter],
  environment: (name) => (/PASS/i.test(name) ? "placeholder" : placeholders.host),
};

const placeholders: Record<string, string> = {
  host: "https://user:placeholder@broker.invalid/%2Fengine",
  protocol: "http",
  vhostName: "/engine",
  username: "user",
  password: "placeholder",
  tls: "disable",
};

/**
 * One real broker, whatever the Secret is called.
 * @param host the management API's URL with user, password and vhost.
 */
export function credentialsOf(host: string): Credentials {
  const { username, password, pathname } = new URL(host);
  const values: Record<string, string> = {
    host,
    protocol: "http",
    vhostName: decodeURIComponent(pathname.split("/").at(-1) ?? "") || "/",
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    tls: "disable",
  };
  return {
    secret: ({ parameter }) => values[parameter],
    environment: (name) => process.env[name] ?? host,
  };
}

const SecretReferences = z
  .array(
    z.looseObject({
      parameter: z.string().min(1),
      name: z.string().min(1),
      key: z.string().min(1),
    }),
  )
  .default([]);
/** What KEDA takes parameters from, as far as the tools can follow. */
const AuthenticationSpec = z.looseObject({
  secretTargetRef: SecretReferences,
  configMapTargetRef: SecretReferences,
  env: z
    .array(z.looseObject({ parameter: z.string().min(1), name: z.string().min(1) }))
    .default([]),
});

const MODELLED = new Set(["secretTargetRef", "configMapTargetRef", "env"]);

export type Resolved =
  | { parameters: Record<string, string> }
  | { message: string; fix: string; rule: "keda-authentication" | "keda-not-modelled" };

/** All parameters that the TriggerAuthentication of this name gives. */
export function resolveAuthentication(
  reference: { name: string; kind?: string | undefined } | undefined,
  objects: readonly SourceObject[],
  credentials: Credentials,
): Resolved {
  if (!reference) return { parameters: {} };
  const kind = reference.kind ?? "TriggerAuthentication";
  const found = objects.find((object) => object.kind === kind && object.name === reference.name);
  if (!found)
    return {
      rule: "keda-authentication",
      message: `there is no ${kind} ${reference.name}, and KEDA can't build the trigger without it`,
      fix: "add it to the same folder, or correct its name",
    };
  const spec = withoutNulls(found.value.spec ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(spec ?? {}).find((key) => !MODELLED.has(key));
  if (unknown !== undefined)
    return {
      rule: "keda-not-modelled",
      message: `${unknown} of ${kind} ${reference.name} is beyond what the local fleet can ask with`,
      fix: "take the parameters from a Secret, with secretTargetRef",
    };
  const parsed = AuthenticationSpec.safeParse(spec);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return {
      rule: "keda-authentication",
      message: `${kind} ${reference.name} has a bad spec: ${issue?.path.join(".")}: ${issue?.message}`,
      fix: "give each entry its parameter, name and key, as texts",
    };
  }
  const { secretTargetRef, configMapTargetRef, env } = parsed.data;
  const parameters: Record<string, string> = {};
  // In KEDA's order, in which the last one wins.
  for (const { parameter, name } of env)
    parameters[parameter] = credentials.environment(name) ?? "";
  for (const entry of [...configMapTargetRef, ...secretTargetRef])
    parameters[entry.parameter] = credentials.secret(entry) ?? "";
  return { parameters };
}
