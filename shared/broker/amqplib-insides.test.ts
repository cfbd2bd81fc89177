/** The amqplib that is installed is the one whose insides are known, and another one is refused. */
import { readFileSync } from "node:fs";
import type { ChannelModel, ConfirmChannel } from "amqplib";
import { expect, test } from "vitest";
import { outletOf, sever } from "./amqplib-insides.ts";

const root = new URL("../../", import.meta.url);

test("every package of ours pins the same version, exactly", () => {
  const pinned = ["package.json", "shared/package.json", "shared/client/package.json"].map(
    (file) => {
      const { dependencies, devDependencies } = JSON.parse(
        readFileSync(new URL(file, root), "utf8"),
      );
      return { ...dependencies, ...devDependencies }.amqplib;
    },
  );
  expect(new Set(pinned)).toEqual(new Set(["2.3.1"]));
});

test("a member that is missing is named, with the version that it was made for", () => {
  const model = { connection: { stream: {}, rest: Buffer.alloc(0) } } as unknown as ChannelModel;
  expect(() => sever(model, new Error("x"))).toThrow(
    /^this amqplib has no boolean connection\.recvSinceLastCheck; tl-engine was made for 2\.3\.1/,
  );
  expect(() => outletOf({ ch: 1 } as unknown as ConfirmChannel)).toThrow(
    expect.objectContaining({ name: "WrongAmqplib" }),
  );
});
