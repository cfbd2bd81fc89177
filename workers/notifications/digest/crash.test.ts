/**
 * Workers are killed while they mail, and the server cuts what it has taken: no entry is lost, and what comes twice is
 * the same bytes. The SMTP server is the witness. NOTIFICATIONS_KILLS=200 for the whole of it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  type KeptWorker,
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "@tl-engine/shared/services/worker-process";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MailEntry } from "./entry.ts";
import { type MailWitness, openMailWitness, type Witnessed } from "./mail-witness.fixture.ts";
import { entryOf } from "./sample-entries.fixture.ts";
import engine from "./test-engine.fixture.ts";

const KILLS = Number(process.env.NOTIFICATIONS_KILLS ?? 20);
const WORKERS = 2;
const RECEIVERS = 25;
/** Windows on their way at once. */
const CROWD = 10;
/** Mails between two kills, about. */
const MAILS_PER_KILL = 8;
const CUT_ONE_IN = 40;
const PAST = Date.parse("2026-05-05T10:00:00Z");
const WITHIN_MS = 60_000 + KILLS * 10_000;

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const FOLDER = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const ENGINE = fileURLToPath(new URL("./test-engine.fixture.ts", import.meta.url));

let fleet: TestFleet;
let witness: MailWitness;
let workers: KeptWorker[] = [];

beforeAll(async () => {
  witness = await openMailWitness();
  fleet = await openTestFleet([engine], [FOLDER]);
  await fleet.pool.query(
    `insert into engine_notifications.members (id, workspace_id, address, locale, time_zone, window_minutes)
     select $1 || '-' || n, $1, $1 || '-' || n || '@example.com', 'en', 'UTC', 1 from generate_series(0, ${RECEIVERS - 1}) n`,
    [fleet.config.ENGINE_PREFIX],
  );
  workers = Array.from({ length: WORKERS }, startWorker);
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop(5_000)));
  await witness?.close();
  await fleet?.close();
});

/** As Kubernetes does, whenever it dies. */
const startWorker = () =>
  keepRunning({
    start: () =>
      startWorkerProcess({
        args: workerArgs(ENGINE),
        cwd: REPOSITORY,
        env: {
          ...process.env,
          ...fleet.env,
          LEASE_MS: "1000",
          NOTIFICATIONS_SMTP_URL: witness.url,
          NOTIFICATIONS_SMTP_TLS: "off",
          NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
        },
        output: "ignore",
      }),
    restartInMs: () => 0,
  });

/** Kills a worker at one of the points at which that can matter, every few mails. */
function killer() {
  const counts = { kills: 0, cuts: 0 };
  let mails = 0;
  const kill = () => {
    const running = workers.filter((worker) => worker.current?.running);
    const victim = running[Math.floor(Math.random() * running.length)];
    if (victim === undefined || counts.kills >= KILLS) return;
    counts.kills++;
    victim.current?.signal("SIGKILL");
  };
  const isDue = () => Math.random() < 1 / (2 * MAILS_PER_KILL);
  witness.manners.rcpt = () => {
    if (isDue()) kill();
  };
  witness.manners.taken = async (_, cut) => {
    mails++;
    if (mails % CUT_ONE_IN === 0) {
      counts.cuts++;
      cut();
    }
    if (!isDue()) return;
    // Before the answer, with it, or some time after: while it is marked, or between that and the ack.
    const point = Math.random();
    if (point < 0.4) kill();
    else setTimeout(kill, Math.random() * 12);
    if (point < 0.2) await sleep(5);
  };
  return counts;
}

/** Queues and mails one window, and sees to it that it ends. */
async function mailOne(n: number): Promise<MailEntry[]> {
  const { ENGINE_PREFIX: workspaceId } = fleet.config;
  const receiverId = `${workspaceId}-${n % RECEIVERS}`;
  const entries = Array.from({ length: 1 + (n % 3) }, (_, i) =>
    entryOf({
      ...{
        receiverId,
        workspaceId,
        issueId: `i-${n}-${i}`,
        issueKey: `T-${n}-${i}`,
        activityId: `${workspaceId}-a-${n}-${i}`,
      },
      issueName: `<entry ${n} ${i}>`,
    }),
  );
  const nowMs = PAST + n * 60_000;
  const [timer] = (await untilSucceeded("queue", { entries, nowMs })).timers as [
    { receiverId: string; window: number },
  ];
  // It comes again, as events do: nothing more comes of it.
  if (n % 5 === 0) await untilSucceeded("queue", { entries, nowMs });
  const { receiverId: to, window } = timer;
  expect(await untilSucceeded("digest", { receiverId: to, window })).toMatchObject({
    status: "sent",
  });
  return entries;
}

/** Whoever met four kills is quarantined, whatever it did: an operator replays it. */
async function untilSucceeded(action: string, input: object): Promise<Record<string, unknown>> {
  for (;;) {
    const { reply } = await fleet.reply(await fleet.publish("notifications", action, input));
    if (reply.status === "succeeded") return reply.output as Record<string, unknown>;
    if (reply.error.code !== "quarantined") throw new Error(JSON.stringify(reply));
  }
}

async function entriesIn(mail: Witnessed): Promise<string[]> {
  const { text = "" } = await simpleParser(mail.message);
  return text.match(/<entry \d+ \d+>/g) ?? [];
}

test(
  `${KILLS} kills and cuts after DATA: nothing is lost, what comes twice is the same`,
  async () => {
    const counts = killer();
    const queued: MailEntry[] = [];
    let n = 0;
    const client = async () => {
      while (counts.kills < KILLS) queued.push(...(await mailOne(n++)));
    };
    await Promise.all(Array.from({ length: CROWD }, client));

    const byId = Map.groupBy(witness.mails, ({ messageId }) => messageId);
    const told = new Map<string, string[]>();
    for (const [id, [first]] of byId)
      for (const entry of await entriesIn(first as Witnessed))
        told.set(entry, [...(told.get(entry) ?? []), id]);
    const lost = queued.filter(({ issueName }) => !told.has(String(issueName))).length;
    const again = [...byId.values()].flatMap(([first, ...repeats]) =>
      repeats.map(({ sha256 }) => sha256 === first?.sha256),
    );
    const identical = again.filter((isSame) => isSame).length;
    const { kills, cuts } = counts;
    console.log(
      `notifications: mails=${witness.mails.length} distinct_ids=${byId.size} lost=${lost} resent=${again.length} kills=${kills} cuts=${cuts} identical=${identical}`,
    );
    expect(lost).toBe(0);
    // One mail for each window: in none of them an entry of another.
    expect(byId.size).toBe(n);
    expect([...told.values()].filter((ids) => ids.length > 1)).toEqual([]);
    expect(identical).toBe(again.length);
    expect(again.length).toBeLessThanOrEqual(kills + cuts);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
  },
  WITHIN_MS,
);
