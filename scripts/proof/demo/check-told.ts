/** Compares what people were told, by notification, mail, rule and deadline, with one pass without the fleet. */
import type { Findings } from "./check.ts";
import type { CaughtMail } from "./mail-catcher.ts";
import type { Announced } from "./observe.ts";
import type { MailRow } from "./rows.ts";

export interface ExpectedTold {
  /** `<receiver> <activity> <reason>` */
  inApp: ReadonlySet<string>;
  /** `<receiver> <activity>` */
  mailed: ReadonlySet<string>;
  /** `<rule> <item> <epoch>` */
  fired: ReadonlySet<string>;
  /** `<item> <epoch ms>` */
  breached: ReadonlySet<string>;
  /** `archive <item>` and `close <item>` */
  swept: ReadonlySet<string>;
}

export interface SeenTold {
  announced: Announced;
  mails: readonly CaughtMail[];
  mailRows: readonly MailRow[];
  swept: readonly string[];
}

export interface ToldTotals {
  notifications: number;
  mails: number;
  rulesFired: number;
  breaches: number;
  swept: number;
}

/** Counts what was told, each once. */
export function checkTold(seen: SeenTold, expected: ExpectedTold, findings: Findings): ToldTotals {
  const { announced, mailRows } = seen;
  for (const [type, events] of announced)
    for (const [id, bodies] of events)
      if (bodies.size > 1) findings.add("doubled", `${type} ${id} came with several bodies`);
  const told = {
    inApp: bodiesOf(announced, "notification.created").flatMap(notificationsOf),
    fired: bodiesOf(announced, "automation.fired").map(firedOf),
    breached: bodiesOf(announced, "sla.breached").map(breachOf),
  };
  compare("notification", told.inApp, expected.inApp, findings);
  compare("rule", told.fired, expected.fired, findings);
  compare("breach", told.breached, expected.breached, findings);
  compare("sweep", seen.swept, expected.swept, findings);
  compare(
    "mailed entry",
    mailRows.flatMap(({ entries }) => entries),
    expected.mailed,
    findings,
  );
  return {
    notifications: told.inApp.length,
    mails: checkMails(seen, findings),
    rulesFired: told.fired.length,
    breaches: told.breached.length,
    swept: seen.swept.length,
  };
}

/** The first body of each event: others are a finding by themselves. */
function bodiesOf(announced: Announced, type: string): Record<string, unknown>[] {
  const bodies = [...(announced.get(type)?.values() ?? [])];
  return bodies.flatMap((texts) => [...texts.keys()].slice(0, 1).map((text) => JSON.parse(text)));
}

interface Notification {
  receiverId: string;
  activityId: string;
  reason: string;
}
const notificationsOf = (body: Record<string, unknown>) =>
  (body.notifications as Notification[]).map(
    ({ receiverId, activityId, reason }) => `${receiverId} ${activityId} ${reason}`,
  );
const firedOf = ({ ruleId, itemId, event }: Record<string, unknown>) =>
  `${ruleId} ${itemId} ${(event as { epoch: number }).epoch}`;
const breachOf = ({ itemId, breachedAt }: Record<string, unknown>) =>
  `${itemId} ${Date.parse(String(breachedAt))}`;

function compare(
  what: string,
  got: readonly string[],
  expected: ReadonlySet<string>,
  findings: Findings,
): void {
  const known = new Set<string>();
  for (const one of got) {
    if (known.has(one)) findings.add("doubled", `${what} ${one}`);
    else if (!expected.has(one)) findings.add("different", `${what} ${one} should not be`);
    known.add(one);
  }
  for (const one of expected.difference(known)) findings.add("lost", `${what} ${one}`);
}

/** Every window's mail came, as one mail to its address, and no other mail. */
function checkMails({ mails, mailRows }: SeenTold, findings: Findings): number {
  const caught = Map.groupBy(mails, ({ messageId }) => messageId);
  const known = new Set<string>();
  for (const { messageId, state, address } of mailRows) {
    const [mail, ...again] = caught.get(messageId ?? "") ?? [];
    if (mail === undefined) {
      findings.add("lost", `a mail to ${address ?? "nobody"}, ${state ?? "not yet composed"}`);
      continue;
    }
    known.add(mail.messageId);
    if (state !== "sent") findings.add("different", `mail ${messageId} came and is ${state}`);
    if (mail.to !== address) findings.add("different", `mail ${messageId} went to ${mail.to}`);
    // No worker was killed: nothing has to be sent once more.
    if (again.length > 0)
      findings.add("doubled", `mail ${messageId} came ${again.length + 1} times`);
  }
  for (const id of caught.keys())
    if (!known.has(id)) findings.add("doubled", `mail ${id} came and belongs to no window`);
  return caught.size;
}
