/** What `.env.example` says is what the workers read: the variables of all, and each engine's own. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { Environment } from "../shared/process/config.ts";
import { REPOSITORY } from "./repository.ts";
import { loadWorkers, ownVariables } from "./workers.ts";

const engines = (await loadWorkers()).map(({ definition }) => definition);
const All = z.object({ ...Environment.shape, ...ownVariables(engines) });

/** The variables of `.env.example`, each with the comment right above it. */
function readExample() {
  const lines = readFileSync(`${REPOSITORY}.env.example`, "utf8").split("\n");
  return lines.flatMap((line, i) => {
    const [, name, value = ""] = /^#?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value, comment: lines[i - 1]?.replace(/^# /, "") }];
  });
}

const example = readExample();
const GOOD = {
  AMQP_URL: "amqp://127.0.0.1/%2Fengine",
  DATABASE_URL: "postgres://127.0.0.1/enginedb",
  REDIS_URL: "redis://127.0.0.1/0",
};

test("has every variable once, and no other", () => {
  const names = example.map(({ name }) => name);
  expect(names.toSorted()).toEqual(Object.keys(All.shape).sort());
});

test("says above each what its schema says of it", () => {
  for (const { name, comment } of example)
    expect({ name, comment }).toEqual({
      name,
      comment: All.shape[name as keyof typeof All.shape]?.description,
    });
});

test("shows the defaults, and values that are accepted", () => {
  // An empty one counts as unset.
  const filled = example.filter(({ value }) => value !== "");
  const shown = Object.fromEntries(filled.map(({ name, value }) => [name, value]));
  const parsed = All.parse(shown);
  const defaults = Object.entries(All.parse(GOOD)).filter(([name]) => !(name in GOOD));
  expect(parsed).toMatchObject(Object.fromEntries(defaults));
});
