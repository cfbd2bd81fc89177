/** The price file is whole, and each way to spoil a figure is told with its line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { BadFiles } from "../kubernetes/read/bad-files.ts";
import { readPrices } from "../kubernetes/read/prices.ts";
import { DEFAULT_PRICES } from "../scaling/simulate/result.ts";
import { REDIS_COMMANDS } from "../scaling/simulate/usage.ts";

const OURS = "manifests/prices.yaml";
const text = readFileSync(OURS, "utf8");
const folder = mkdtempSync(join(tmpdir(), "prices-"));
afterAll(() => rmSync(folder, { recursive: true }));

const TODAY = Date.parse("2026-11-24");
const lineOf = (content: string, words: string) =>
  content.split("\n").findIndex((line) => line.includes(words)) + 1;

function problemsOf(content: string) {
  const file = join(folder, "prices.yaml");
  writeFileSync(file, content);
  try {
    readPrices(TODAY, file);
  } catch (error) {
    expect(error).toBeInstanceOf(BadFiles);
    return (error as BadFiles).problems;
  }
  throw new Error("nothing was refused");
}

test("our own file is accepted, and nothing in it is old yet", () => {
  const { prices, warnings, toConfirm } = readPrices(TODAY, OURS);
  expect(prices.redis.plans.payg?.usdPer100kCommands).toBe(0.2);
  expect(warnings).toEqual([]);
  expect(toConfirm).toBe(text.match(/confirm: /g)?.length);
});

test("what the simulation assumes by itself is what our file says", () => {
  const { kubernetes, measured } = readPrices(TODAY, OURS).prices;
  expect(DEFAULT_PRICES).toEqual({
    usdPerCpuHour: kubernetes.vcpuUsdPerHour,
    usdPerGibHour: kubernetes.memoryUsdPerGibHour,
  });
  expect(REDIS_COMMANDS).toEqual({
    job: measured.redisCommandsPerJob,
    start: measured.redisCommandsPerStart,
  });
});

test("figures that are too old are warned about, with their lines and no more than they", () => {
  const { warnings } = readPrices(Date.parse("2027-11-13"), OURS);
  const told = warnings.map(({ line }) => line);
  expect(told).toContain(lineOf(text, "usdPerCuHour:"));
  expect(told).not.toContain(lineOf(text, "resultRowBytes:"));
});

/** The figure of Neon's computes, line by line. */
const BLOCK = /^ {2}usdPerCuHour:\n(?: {4}.*\n)+/m.exec(text)?.[0] ?? "";

test.each([
  ["no source", / {4}source: .*\n/, "", "usdPerCuHour:"],
  ["no date", / {4}date: .*\n/, "", "usdPerCuHour:"],
  ["a source that is no address", /source: .*/, 'source: "the price page"', 'source: "the price'],
  ["a date that is none", /date: .*/, "date: last week", "date: last week"],
  ["a price below zero", /value: .*/, "value: -1", "value: -1"],
  ["a word for a number", /value: .*/, "value: cheap", "value: cheap"],
  ["a field too many", /value: .*/, "value: 1\n    currency: EUR", "currency: EUR"],
])("%s is refused with its line", (_, found, instead, at) => {
  const spoilt = text.replace(BLOCK, BLOCK.replace(found, instead));
  expect(spoilt).not.toBe(text);
  const problems = problemsOf(spoilt);
  expect(problems.map(({ line }) => line)).toEqual([lineOf(spoilt, at)]);
  expect(problems[0]?.message).toContain("postgres.usdPerCuHour");
});

test("a missing file and two documents in one are told", () => {
  expect(() => readPrices(TODAY, join(folder, "none.yaml"))).toThrow(/none.yaml:1: .*missing/);
  expect(problemsOf(`${text}---\n${text}`)[0]?.message).toContain("2 documents");
});

test("a date without quotes is a date as well", () => {
  const bare = text.replaceAll(/date: "([\d-]+)"/g, "date: $1");
  writeFileSync(join(folder, "bare.yaml"), bare);
  expect(readPrices(TODAY, join(folder, "bare.yaml")).warnings).toEqual([]);
});
