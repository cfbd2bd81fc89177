/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology; `NAME=tl-plane ROLE=publisher`: those of who publishes jobs. No
 * password stands in any of them.
 */

import "../show/closed-pipe.ts";
import { readEnvironment } from "../operate/environment.ts";
import { printable } from "../show/terminal/printable.ts";
import {
  NoSuchUser,
  type PrintOptions,
  printEngine,
  printPublisher,
  printTools,
} from "./rights/print.ts";

const EXIT_MISUSED = 2;

const { ENGINE_PREFIX, REPLY_EXCHANGE, TOOLS_USER } = readEnvironment({
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
  TOOLS_USER: true,
});
const options: PrintOptions = {
  prefix: ENGINE_PREFIX,
  replyExchange: REPLY_EXCHANGE,
  toolsUser: TOOLS_USER,
};

async function print(name: string, role: string): Promise<string> {
  if (name === "tools") return printTools(options);
  return role === "publisher" ? printPublisher(name, options) : printEngine(name, options);
}

try {
  const { NAME = "", ROLE = "engine" } = process.env;
  console.log(await print(NAME, ROLE));
} catch (error) {
  if (!(error instanceof NoSuchUser)) throw error;
  console.error(printable(error.message));
  process.exitCode = EXIT_MISUSED;
}
