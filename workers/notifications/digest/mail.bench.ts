/**
 * Mails a second of one worker, frozen, sent and marked, against an SMTP server here, on real services:
 * `node workers/notifications/digest/mail.bench.ts`; and of those steps the one that is only computed.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { provideServices } from "@tl-engine/shared/services/provide";
import { startWorkerProcess, workerArgs } from "@tl-engine/shared/services/worker-process";
import { openTestFleet } from "@tl-engine/shared/testing/fleet";
import { composeDigest } from "./compose.ts";
import { openMailWitness } from "./mail-witness.fixture.ts";
import { queueMail } from "./queue.ts";
import { entryOf, SAMPLE } from "./sample-entries.fixture.ts";
import { MailSettings } from "./settings.ts";
import engine from "./test-engine.fixture.ts";

const MAILS = Number(process.env.MAILS ?? 3_000);
const ENTRIES = 5;
const COMPOSED = 500;
const PAST = Date.parse("2026-05-05T10:00:00Z");
const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const FOLDER = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const ENGINE = fileURLToPath(new URL("./test-engine.fixture.ts", import.meta.url));

/** Of a process here, milliseconds so far: what other programs on the machine disturb less than time. */
function cpuMsOf(pid = 0): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const fields = rest.split(" ");
  // In hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const services = await provideServices();
Object.assign(process.env, services.env());
const witness = await openMailWitness();
const fleet = await openTestFleet([engine], [FOLDER]);
const { ENGINE_PREFIX: prefix } = fleet.config;
const env = {
  NOTIFICATIONS_SMTP_URL: witness.url,
  NOTIFICATIONS_SMTP_TLS: "off",
  NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
  NOTIFICATIONS_ISSUE_URL: "https://app.tl.example/{workspaceId}/browse/{issueKey}",
  NOTIFICATIONS_UNSUBSCRIBE_URL: "https://app.tl.example/unsubscribe",
  NOTIFICATIONS_TOKEN_SECRETS: "k".repeat(40),
};
const settings = MailSettings.parse(env);

const composeStart = process.cpuUsage();
for (let n = 0; n < COMPOSED; n++) {
  const digest = { receiverId: `r${n}`, dueMs: PAST, address: "a@b.example", locale: "es" };
  await composeDigest({ ...digest, timeZone: "Europe/Madrid", entries: SAMPLE }, settings, PAST);
}
const { user, system } = process.cpuUsage(composeStart);
const composeUs = (user + system) / COMPOSED;

await fleet.pool.query(
  `insert into engine_notifications.members (id, workspace_id, address, locale, time_zone)
   select $1 || '-' || n, $1, $1 || '-' || n || '@example.com', 'es', 'Europe/Madrid' from generate_series(0, ${MAILS - 1}) n`,
  [prefix],
);
const entries = Array.from({ length: MAILS * ENTRIES }, (_, n) =>
  entryOf({
    receiverId: `${prefix}-${n % MAILS}`,
    workspaceId: prefix,
    activityId: `${prefix}-${n}`,
    issueId: `i${n % 3}`,
  }),
);
const queueStart = performance.now();
const timers = await queueMail(fleet.pool, entries, settings, PAST);
const queueMs = performance.now() - queueStart;

const worker = startWorkerProcess({
  args: workerArgs(ENGINE),
  cwd: REPOSITORY,
  env: { ...process.env, ...fleet.env, ...env, LOG_LEVEL: "info" },
  output: () => {},
});
await worker.ready;
const cpuBeforeMs = cpuMsOf(worker.pid);
const start = performance.now();
await Promise.all(
  timers.map(({ id, input }) =>
    fleet.publish("notifications", "digest", input, { messageId: id, correlationId: id }),
  ),
);
await fleet.until("all replies", () => fleet.replies.length >= MAILS || undefined, 300_000);
const seconds = (performance.now() - start) / 1_000;
const cpuMs = cpuMsOf(worker.pid) - cpuBeforeMs;
await worker.stop();

console.log(
  `notifications: mails=${witness.mails.length} mails_per_second=${Math.round(MAILS / seconds)} cpu_ms_per_mail=${(cpuMs / MAILS).toFixed(2)} compose_us_cpu=${Math.round(composeUs)} queued_entries_per_second=${Math.round((entries.length / queueMs) * 1_000)}`,
);
await witness.close();
await fleet.close();
await services.stop();
