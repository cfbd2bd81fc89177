/** The environment of a tool: a bad one ends it with one message and exit status 2. */
import { BadEnvironment, Environment, readVariables } from "@tl-engine/shared/process/config";
import { printableLines } from "../show/terminal/printable.ts";
import { readDotEnv } from "./dot-env.ts";

type Shape = typeof Environment.shape;

export function readEnvironment<const Mask extends Partial<Record<keyof Shape, true>>>(mask: Mask) {
  readDotEnv();
  try {
    return readVariables(
      Environment.pick(mask as Mask & Record<Exclude<keyof Mask, keyof Shape>, never>),
      process.env,
    );
  } catch (error) {
    if (!(error instanceof BadEnvironment)) throw error;
    console.error(printableLines(error.message));
    process.exit(2);
  }
}
