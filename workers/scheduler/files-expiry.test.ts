/** An engine that sleeps keeps no file past its time: a schedule of its definition has it swept. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineWorker } from "@tl-engine/shared";
import { filesEngine } from "@tl-engine/shared/testing/files-engine";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { type OwnBucket, openOwnBucket } from "@tl-engine/shared/testing/own-bucket";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defineScheduler } from "./define-scheduler.ts";

const SWEEP = { action: "sweep-files", everySeconds: 1 } as const;
const engine = defineWorker({ ...filesEngine, schedules: { sweep: SWEEP } });

let database: OwnDatabase;
let bucket: OwnBucket;
let fleet: TestFleet;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "schedules-"));
  database = await useOwnDatabase();
  bucket = await openOwnBucket();
  fleet = await openTestFleet([defineScheduler(), engine], [import.meta.dirname]);
});
afterAll(async () => {
  await fleet?.close();
  await bucket?.end();
  await database?.drop();
  await rm(folder, { recursive: true });
});

test("what expired goes by the schedule, and what lives stays", async () => {
  await fleet.start(engine, bucket.env);
  const write = async (name: string) => {
    const { reply } = await fleet.reply(await fleet.publish("keeper", "write", { name }));
    return (reply as unknown as { output: { $file: string } }).output.$file;
  };
  const live = await write("live");
  const dead = await write("dead");
  const prefix = `${fleet.config.ENGINE_PREFIX}/keeper/`;
  expect((await bucket.keys(prefix)).toSorted()).toEqual([dead, live].toSorted());

  await fleet.pool.query("update engine.files set expires_at = now() where key = $1", [dead]);

  // As `make contract` writes it from the definition.
  const file = join(folder, "schedules.json");
  const { everySeconds } = SWEEP;
  const schedule = { name: "keeper.sweep", type: `keeper.${SWEEP.action}.v1`, everySeconds };
  await writeFile(file, JSON.stringify([schedule]));
  await fleet.start(defineScheduler(), { SCHEDULER_FILE: file });
  await fleet.until("the expired one gone", async () => {
    const keys = await bucket.keys(prefix);
    return (keys.length === 1 && keys[0] === live) || undefined;
  });
});
