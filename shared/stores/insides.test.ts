/** The libraries whose insides we reach are the very releases that we looked at. */
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import type pg from "pg";
import { expect, test } from "vitest";
import { assertIoredis, UnknownIoredis } from "./ioredis-insides.ts";
import { assertPg, UnknownPg } from "./pg-insides.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => JSON.parse(readFileSync(new URL(path, ROOT), "utf8"));

test.each(["pg", "ioredis", "zod"])("%s is pinned, and it is what is installed", (name) => {
  const { version } = read(`node_modules/${name}/package.json`);
  for (const path of ["package.json", "shared/package.json", "shared/client/package.json"]) {
    const { dependencies, devDependencies } = read(path);
    expect([path, dependencies?.[name] ?? devDependencies?.[name]]).toEqual([path, version]);
  }
});

test("a pg that is built otherwise is refused, with what it lacks", () => {
  expect(() => assertPg()).not.toThrow();
  const other = class {} as unknown as typeof pg.Client;
  expect(() => assertPg(other)).toThrow(UnknownPg);
  expect(() => assertPg(other)).toThrow(/client\.connection, .*npm ci/);
});

test("an ioredis that is built otherwise is refused, with what it lacks", () => {
  const redis = new Redis({ lazyConnect: true });
  expect(() => assertIoredis(redis)).not.toThrow();
  const other = { defineCommand() {}, disconnect() {}, status: "wait" } as unknown as Redis;
  expect(() => assertIoredis(other)).toThrow(UnknownIoredis);
  expect(() => assertIoredis(other)).toThrow(/defineCommand, duplicate.*npm ci/);
});
