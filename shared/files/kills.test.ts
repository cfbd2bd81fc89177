/** Workers that are killed in the middle of their uploads, a hundred times: what they leave has no owner, and goes. */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { keepRunning, startWorkerProcess, workerArgs } from "../services/worker-process.ts";
import { filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import { filesPrefix } from "../wire/files.ts";
import { sweepFiles } from "./sweep.ts";

/** A hundred took five minutes on two busy cores: FILE_KILLS=100 does it. */
const KILLS = Number(process.env.FILE_KILLS ?? 15);
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const ENGINE = fileURLToPath(new URL("../testing/files-engine.ts", import.meta.url));

let bucket: OwnBucket;
let fleet: TestFleet;
beforeAll(async () => {
  bucket = await openOwnBucket();
  fleet = await openTestFleet([filesEngine]);
});
afterAll(async () => {
  await fleet?.close();
  await bucket?.end();
});

async function untilUploading(): Promise<void> {
  const own = filesPrefix(fleet.config.ENGINE_PREFIX, "keeper");
  const before = (await bucket.uploads(own)).length;
  for (let tries = 0; tries < 60; tries++) {
    if ((await bucket.uploads(own)).length > before) return;
    await sleep(30);
  }
}

/** A worker that is killed at a random point of its life, and is started again. */
function keepKilling() {
  let kills = 0;
  const kept = keepRunning({
    start() {
      const worker = startWorkerProcess({
        args: workerArgs(ENGINE),
        cwd: REPOSITORY,
        env: { ...process.env, ...fleet.env, ...bucket.env, LEASE_MS: "500", LOG_LEVEL: "info" },
        output: () => {},
      });
      void worker.ready.then(
        async () => {
          if (kills >= KILLS) return;
          // Every other one in the middle of an upload, as soon as one has begun.
          if (kills % 2 === 0) await untilUploading();
          else await sleep(20 + Math.random() * 400);
          kills++;
          worker.signal("SIGKILL");
        },
        () => {},
      );
      return worker;
    },
    restartInMs: () => 0,
  });
  onTestFinished(async () => void (await kept.stop(0)));
  return {
    stop: () => kept.stop(10_000),
    get kills() {
      return kills;
    },
  };
}

test(`after ${KILLS} kills no upload and no object without an owner remains`, async () => {
  const { ENGINE_PREFIX: prefix } = fleet.config;
  const own = filesPrefix(prefix, "keeper");
  const killing = keepKilling();
  const ids: string[] = [];
  let mostUploads = 0;
  // Work for all of its lives: large files on their way, and small ones that are done.
  while (killing.kills < KILLS) {
    const answered = fleet.replies.length;
    while (ids.length - answered < 6)
      ids.push(
        await fleet.publish("keeper", "write", {
          bytes: ids.length % 3 === 0 ? 1_000 : 12 * 1024 * 1024,
          pauseMs: ids.length % 3 === 0 ? 0 : 2,
        }),
      );
    await sleep(100);
    mostUploads = Math.max(mostUploads, (await bucket.uploads(own)).length);
  }
  for (const id of ids) await fleet.reply(id);
  await killing.stop();
  // The kills met uploads, or this test shows nothing.
  expect(mostUploads).toBeGreaterThan(0);

  await sleep(1_100);
  const swept = await sweepFiles({
    ...{ store: bucket.store, client: fleet.pool, engine: "keeper", prefix },
    // All of its workers have ended.
    graceMs: 0,
  });
  expect(swept.orphans + swept.uploads).toBeGreaterThan(0);
  expect(await bucket.uploads(own)).toEqual([]);
  const { rows } = await fleet.pool.query(
    `select f.key, f.state from engine.files f
      left join engine.results r on r.engine = f.engine and r.job_id = f.job_id and r.status = 'succeeded'
        and r.reply -> 'output' ->> '$file' = f.key
      where f.engine = 'keeper' and starts_with(f.key, $1) and (r.job_id is null or f.state <> 'kept')`,
    [own],
  );
  expect(rows).toEqual([]);
  // Each object is the output of one success, and each success has its object.
  const { rows: succeeded } = await fleet.pool.query(
    "select reply -> 'output' ->> '$file' as key from engine.results where engine = 'keeper' and job_id = any ($1) and status = 'succeeded'",
    [ids],
  );
  expect((await bucket.keys(own)).sort()).toEqual(succeeded.map(({ key }) => key as string).sort());
  process.stdout.write(
    `kills: kills=${killing.kills} jobs=${ids.length} succeeded=${succeeded.length} uploads_seen=${mostUploads} swept=${JSON.stringify(swept)}\n`,
  );
}, 600_000);
