/** Colours and numbers for people at a terminal. */
import { styleText } from "node:util";

export type Paint = (style: "bold" | "dim" | "green" | "cyan" | "red", text: string) => string;

export function painter(color: boolean): Paint {
  if (!color) return (_, text) => text;
  return (style, text) => (text === "" ? "" : styleText(style, text, { validateStream: false }));
}

/** Whether to colour: a terminal, unless NO_COLOR (no-color.org) is set to anything. */
export const wantsColor = (stream: { isTTY?: boolean }, env = process.env) =>
  stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";

/** 12,345 */
export const count = (value: number) => Math.round(value).toLocaleString("en-US");
