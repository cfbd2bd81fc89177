/** Finds what looks like a secret in texts: secretlint's rules of well-known tokens and keys, and URLs of our servers. */
import { lintSource } from "@secretlint/core";
import { creator as pattern } from "@secretlint/secretlint-rule-pattern";
import { creator as recommended } from "@secretlint/secretlint-rule-preset-recommend";
import { ALLOWED_SECRETS, type Allowed } from "./allowed-secrets.ts";

/** Where something was found; what it is stays out of logs. */
export interface Found {
  file: string;
  line: number;
  rule: string;
}

const OPTIONS = {
  config: {
    rules: [
      { id: "recommended", rule: recommended },
      {
        id: "pattern",
        rule: pattern,
        options: {
          patterns: [
            // secretlint knows those of databases. A password of ${…} or <…> is a place for one.
            {
              name: "broker or Redis URL with a password",
              patterns: [
                "/(?:amqps?|rediss?):\\/\\/[^\\s:\\/@\"'`]*:[^\\s:\\/@\"'`$<{…%]+@[^\\s\"'`]+/g",
              ],
            },
          ],
        },
      },
    ],
  },
};

export async function findSecrets(
  files: Iterable<{ file: string; text: string }>,
  allowed: readonly Allowed[] = ALLOWED_SECRETS,
): Promise<{ found: Found[]; unused: Allowed[] }> {
  const found: Found[] = [];
  const used = new Set<Allowed>();
  for (const { file, text } of files) {
    const source = { content: text, filePath: file, ext: "", contentType: "text" } as const;
    const { messages } = await lintSource({ source, options: OPTIONS });
    for (const { range, loc, messageId } of messages) {
      const match = text.slice(...range);
      const entry = allowed.find((one) => one.text.test(match) && (one.files?.test(file) ?? true));
      if (entry) used.add(entry);
      else
        found.push({
          file,
          line: loc.start.line,
          rule: messageId === "PATTERN" ? "URL with a password" : messageId,
        });
    }
  }
  return { found, unused: allowed.filter((entry) => !used.has(entry)) };
}
