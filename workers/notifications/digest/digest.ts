/** Mails a window: freezes it, hands it to the server, and says so in the transaction of the job's result. */
import { type Job, Reject, RetryLater, type Tx } from "@tl-engine/shared";
import { sameAddress } from "./address.ts";
import { stopAddress } from "./bounced.ts";
import type { MAIL_EVENTS } from "./events.ts";
import { freeze, hasWindow, type Window } from "./freeze.ts";
import type { DigestInput, DigestOutput } from "./schemas.ts";
import type { MailSettings } from "./settings.ts";
import { type Delivery, sendMail } from "./smtp.ts";

type MailJob = Job<typeof MAIL_EVENTS>;

/** A timer may come a little early by this worker's clock. */
const EARLY_MS = 2_000;
/** Greylisting passes within minutes: what is put off for longer is for somebody to look at. */
const TROUBLE_S = 900;
/** Another worker has the window: it ends it, or dies and lets it go. */
const BUSY_MS = 5_000;

const LOCK = `
  select workspace_id, state, reason, address, message_id, case when $3 then message end message,
    extract(epoch from now() - frozen_at)::float8 age_s,
    exists (select from engine_notifications.mail_stops s where s.is_stopped
      and (s.kind, s.value) in (('receiver', $1), ('address', lower(m.address)))) is_stopped
  from engine_notifications.mails m where receiver_id = $1 and due_ms = $2 for update skip locked`;
// What has ended needs its bytes no longer.
const END = `
  update engine_notifications.mails set state = $3, reason = $4, message = null, ended_at = now()
  where receiver_id = $1 and due_ms = $2`;

interface MailRow {
  workspace_id: string;
  state: DigestOutput["status"] | "frozen";
  reason: string | null;
  address: string;
  message_id: string;
  message: Buffer | null;
  age_s: number;
  is_stopped: boolean;
}

/**
 * Nothing is marked before the server took it, so no mail is lost; a worker that dies in between leaves it frozen,
 * and it goes out once more, byte for byte the same.
 */
export async function digest(input: DigestInput, job: MailJob): Promise<DigestOutput> {
  const settings = job.env as MailSettings;
  const window = { receiverId: input.receiverId, dueMs: input.window };
  const earlyMs = window.dueMs - Date.now();
  if (earlyMs > EARLY_MS) throw new RetryLater(earlyMs, "the window has not ended");
  if (settings.NOTIFICATIONS_SMTP_URL === undefined && !(await hasWindow(job.db, window)))
    return { status: "nothing" };
  if (settings.NOTIFICATIONS_SMTP_URL === undefined)
    throw new Reject("there is no mail server: set NOTIFICATIONS_SMTP_URL, and replay this job");
  const frozen = await freeze(job.db, window, settings);
  if (frozen === undefined) return { status: "nothing" };
  const tx = await job.tx();
  const isRead = frozen.message === undefined;
  const { rows } = await tx.query<MailRow>(LOCK, [window.receiverId, window.dueMs, isRead]);
  const [mail] = rows;
  if (mail === undefined) throw new RetryLater(BUSY_MS, "another worker mails this window");
  if (mail.state !== "frozen") return outputOf(mail.state, mail);
  const { address, is_stopped: isStopped } = mail;
  const message = frozen.message ?? (mail.message as Buffer);
  const delivery = isStopped
    ? ({ kind: "skipped", reply: "stopped" } as const)
    : await sendMail({ address, message }, settings, job.signal);
  return settle(tx, job, window, mail, delivery);
}

async function settle(
  tx: Tx,
  job: MailJob,
  window: Window,
  mail: MailRow,
  delivery: Delivery | { kind: "skipped"; reply: string },
): Promise<DigestOutput> {
  const { reply } = delivery;
  const maxAgeS = (job.env as MailSettings).NOTIFICATIONS_GIVE_UP_HOURS * 3_600;
  if (delivery.kind === "later" && mail.age_s < maxAgeS) {
    tellPutOff(job, reply, mail.age_s);
    throw new RetryLater(patienceMs(mail.age_s), reply);
  }
  const state = delivery.kind === "later" ? "given_up" : delivery.kind;
  if (state === "given_up") job.log.error({ reply, alert: "mail_given_up" }, "a mail was given up");
  await tx.query(END, [window.receiverId, window.dueMs, state, reply]);
  if (state === "bounced") await stopAddress(tx, job, sameAddress(mail.address), bounceOf(reply));
  if (state !== "sent" && state !== "skipped") {
    const { receiverId } = window;
    const { workspace_id: workspaceId, address, message_id: messageId } = mail;
    job.emit("mail.undelivered", {
      workspaceId,
      receiverId,
      address,
      messageId,
      status: state,
      reply,
    });
  }
  return outputOf(state, { ...mail, reason: reply });
}

function tellPutOff({ log }: MailJob, reply: string, mailAgeS: number): void {
  const fields = { reply, ageS: Math.round(mailAgeS) };
  if (mailAgeS < TROUBLE_S) log.warn(fields, "a mail is put off");
  else log.error({ ...fields, alert: "mail_put_off" }, "a mail has been put off for long");
}

const outputOf = (
  status: DigestOutput["status"],
  { message_id, reason }: MailRow,
): DigestOutput => ({
  status,
  ...(message_id !== null && { messageId: message_id }),
  ...(reason !== null && { reason }),
});

// RFC 3463: X.2.2 is a mailbox that is full. It empties again, so it stops the address as `bounced` does: with the third.
const bounceOf = (reply: string) => (/^5\d\d[ -]5\.2\.2\b/.test(reply) ? "soft" : "hard");

/** The older the mail, the longer: a cut connection is tried at once, greylisting within minutes, an outage by the hour. */
export function patienceMs(ageS: number): number {
  const [, delayMs = 3_600_000] = PATIENCE.find(([untilS]) => ageS < untilS) ?? [];
  return delayMs;
}
const PATIENCE = [
  [5, 1_000],
  [30, 5_000],
  [300, 30_000],
  [1_800, 120_000],
  [14_400, 600_000],
] as const;
