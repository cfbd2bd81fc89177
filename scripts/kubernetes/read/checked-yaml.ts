/** Reads a YAML file that must have a certain shape; what is wrong is told with its line. */
import { existsSync } from "node:fs";
import type { z } from "zod";
import { BadFiles } from "./bad-files.ts";
import { type Path, readObjects, type SourceObject } from "./documents.ts";

export interface Checked<Value> {
  value: Value;
  source: SourceObject;
}

/** Throws BadFiles with every line that the schema refuses. `fix` says what a right file looks like. */
export function readChecked<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  fix: string,
): Checked<z.output<Schema>> {
  const refuse = (line: number, message: string) => ({ file, line, rule: "shape", message, fix });
  if (!existsSync(file)) throw new BadFiles([refuse(1, "the file is missing")]);
  const { objects, problems } = readObjects(file);
  const [source] = objects;
  if (problems.length > 0) throw new BadFiles(problems);
  if (!source || objects.length > 1)
    throw new BadFiles([
      refuse(1, `there are ${objects.length} documents in it, and one is meant`),
    ]);
  const parsed = schema.safeParse(source.value);
  if (parsed.success) return { value: parsed.data, source };
  throw new BadFiles(
    parsed.error.issues.map((issue) => {
      const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
      const path = [...(issue.path as Path), ...unknown.slice(0, 1)];
      return refuse(source.lineOf(path), `${path.join(".")}: ${issue.message}`);
    }),
  );
}
