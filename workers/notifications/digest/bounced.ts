/** Stops the mail to an address that bounces or complains, or to a person who asks for it, and starts it again. */
import type { Job, Tx } from "@tl-engine/shared";
import { sameAddress } from "./address.ts";
import type { MAIL_EVENTS } from "./events.ts";
import type { BouncedInput, ResubscribeInput, StopOutput, UnsubscribeInput } from "./schemas.ts";
import { type MailSettings, readSecrets } from "./settings.ts";
import { readToken } from "./token.ts";

type MailJob = Pick<Job<typeof MAIL_EVENTS>, "emit">;

/** A full mailbox empties again; one that stays full is left. */
const SOFT_BOUNCES = 3;

// The row before it tells what is news.
const STOP = `
  insert into engine_notifications.mail_stops as s (kind, value, reason, bounces, is_stopped)
  values ($1, $2, $3, case when $3 = 'soft' then 1 else 0 end, $3 <> 'soft')
  on conflict (kind, value) do update set at = now(),
    bounces = case when $3 = 'soft' then s.bounces + 1 else s.bounces end,
    is_stopped = s.is_stopped or $3 <> 'soft' or s.bounces + 1 >= ${SOFT_BOUNCES},
    reason = case when s.is_stopped then s.reason else $3 end
  returning is_stopped`;
const IS_STOPPED = `select is_stopped from engine_notifications.mail_stops
  where kind = $1 and value = $2 for update`;

async function stop(tx: Tx, kind: "receiver" | "address", value: string, reason: string) {
  const { rows: before } = await tx.query<{ is_stopped: boolean }>(IS_STOPPED, [kind, value]);
  const { rows: after } = await tx.query<{ is_stopped: boolean }>(STOP, [kind, value, reason]);
  const isStopped = after[0]?.is_stopped === true;
  return { isStopped, isNews: isStopped && before[0]?.is_stopped !== true };
}

/** @param address as {@link sameAddress} writes it. */
export async function stopAddress(
  tx: Tx,
  job: MailJob,
  address: string,
  reason: BouncedInput["kind"],
): Promise<StopOutput> {
  const { isStopped, isNews } = await stop(tx, "address", address, reason);
  if (isNews) job.emit("mail.stopped", { address, reason });
  return { stopped: isStopped };
}

/** A bounce or a complaint, as the mail server's webhook or mailbox told it. */
export async function bounced(
  { address, kind }: BouncedInput,
  job: MailJob & Pick<Job, "tx">,
): Promise<StopOutput> {
  return stopAddress(await job.tx(), job, sameAddress(address), kind);
}

/** One click: who has the token may end its person's mails, and nothing else. */
export async function unsubscribe(
  { token }: UnsubscribeInput,
  job: MailJob & Pick<Job, "tx" | "env">,
): Promise<StopOutput> {
  const { NOTIFICATIONS_TOKEN_SECRETS: secrets } = job.env as MailSettings;
  if (secrets === undefined) return { stopped: false, problem: "no_secrets" };
  const receiverId = readToken(token, readSecrets(secrets));
  if (receiverId === undefined) return { stopped: false, problem: "not_ours" };
  const { isNews } = await stop(await job.tx(), "receiver", receiverId, "unsubscribed");
  if (isNews) job.emit("mail.stopped", { receiverId, reason: "unsubscribed" });
  return { stopped: true };
}

const START = `delete from engine_notifications.mail_stops
  where (kind = 'receiver' and value = $1) or (kind = 'address' and value = $2)`;

/** The way back, for a person, an address, or both. */
export async function resubscribe(
  { receiverId, address }: ResubscribeInput,
  job: Pick<Job, "tx">,
): Promise<StopOutput> {
  const tx = await job.tx();
  await tx.query(START, [receiverId ?? null, address == null ? null : sameAddress(address)]);
  return { stopped: false };
}
