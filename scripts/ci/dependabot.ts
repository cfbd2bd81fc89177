/** The schema of .github/dependabot.yml, of version 2, as far as we use it: an unknown or misspelt option is refused. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { Problem } from "../kubernetes/read/documents.ts";

export const DEPENDABOT = ".github/dependabot.yml";

// https://docs.github.com/en/code-security/reference/supply-chain-security/dependabot-options-reference
const Group = z.strictObject({
  "applies-to": z.enum(["version-updates", "security-updates"]).optional(),
  "dependency-type": z.enum(["development", "production"]).optional(),
  patterns: z.array(z.string()).min(1).optional(),
  "exclude-patterns": z.array(z.string()).min(1).optional(),
  "update-types": z.array(z.enum(["major", "minor", "patch"])).optional(),
});

const Update = z.strictObject({
  "package-ecosystem": z.enum(["npm", "docker", "github-actions"]),
  directory: z.string().startsWith("/"),
  schedule: z.strictObject({
    interval: z.enum(["daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"]),
    day: z
      .enum(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
      .optional(),
    time: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/)
      .optional(),
    timezone: z.string().optional(),
  }),
  "open-pull-requests-limit": z.int().min(0).optional(),
  labels: z.array(z.string()).optional(),
  "versioning-strategy": z
    .enum(["auto", "increase", "increase-if-necessary", "lockfile-only", "widen"])
    .optional(),
  cooldown: z
    .strictObject({
      "default-days": z.int().min(1).max(90).optional(),
      "semver-major-days": z.int().min(1).max(90).optional(),
      "semver-minor-days": z.int().min(1).max(90).optional(),
      "semver-patch-days": z.int().min(1).max(90).optional(),
    })
    .optional(),
  groups: z.record(z.string(), Group).optional(),
  ignore: z
    .array(
      z.strictObject({
        "dependency-name": z.string(),
        versions: z.array(z.string()).optional(),
        "update-types": z
          .array(z.templateLiteral(["version-update:semver-", z.enum(["major", "minor", "patch"])]))
          .optional(),
      }),
    )
    .optional(),
  "commit-message": z
    .strictObject({
      prefix: z.string().max(50).optional(),
      include: z.literal("scope").optional(),
    })
    .optional(),
});

const Configuration = z.strictObject({ version: z.literal(2), updates: z.array(Update).min(1) });

/** What lies in the repository, and so must be kept up to date. */
const KINDS = [
  ["npm", "package-lock.json"],
  ["docker", "Dockerfile"],
  ["github-actions", ".github/workflows"],
] as const;

export function dependabotProblems(text: string, repository: string): Problem[] {
  const say = (message: string, fix: string): Problem => ({
    file: DEPENDABOT,
    line: 1,
    rule: "dependabot",
    message,
    fix,
  });
  const parsed = Configuration.safeParse(parse(text));
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) =>
      say(`${path.join(".")}: ${message}`, "see GitHub's Dependabot options reference"),
    );
  const kept = new Set(parsed.data.updates.map((update) => update["package-ecosystem"]));
  return KINDS.filter(([kind, file]) => existsSync(join(repository, file)) && !kept.has(kind)).map(
    ([kind, file]) => say(`nothing keeps ${file} up to date`, `add package-ecosystem: ${kind}`),
  );
}
