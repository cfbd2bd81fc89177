/** The scripts that Redis runs on claims, each with what reads and writes a record before it. */
import { readFileSync } from "node:fs";
import { RECORD_LUA } from "./claim-record.ts";

export const claimScript = (name: "claim" | "unclaim" | "heartbeat") =>
  RECORD_LUA + readFileSync(new URL(`./${name}.lua`, import.meta.url), "utf8");
