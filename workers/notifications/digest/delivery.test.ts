/** From entries to mails, on real servers: what is sent, to whom, when, and what becomes of what can't be. */
import { randomBytes } from "node:crypto";
import { RetryLater } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { runAction } from "@tl-engine/shared/testing/test-job";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { MailEntry } from "./entry.ts";
import { type MailWitness, openMailWitness, SmtpAnswer } from "./mail-witness.fixture.ts";
import { purgeMails } from "./purge.ts";
import { queueMail } from "./queue.ts";
import { entryOf } from "./sample-entries.fixture.ts";
import { MailSettings } from "./settings.ts";
import { readRefusal } from "./smtp.ts";
import engine from "./test-engine.fixture.ts";
import { digestJobId } from "./timer.ts";
import { signToken } from "./token.ts";

let fleet: TestFleet;
let witness: MailWitness;
const SECRET = "k".repeat(40);
const FOLDER = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

const envOf = (more: Record<string, string> = {}) => ({
  NOTIFICATIONS_SMTP_URL: witness.url,
  NOTIFICATIONS_SMTP_TLS: "off",
  NOTIFICATIONS_MAIL_FROM: "avisos@tl.example",
  NOTIFICATIONS_TOKEN_SECRETS: SECRET,
  ...more,
});

beforeAll(async () => {
  witness = await openMailWitness();
  fleet = await openTestFleet([engine], [FOLDER]);
});
afterAll(async () => {
  await witness?.close();
  await fleet?.close();
});
beforeEach(() => {
  witness.manners = {};
});

/** A worker for one test. */
async function started(more: Record<string, string> = {}) {
  const lines: { alert?: string }[] = [];
  const log = createLog({}, "info", { write: (line) => lines.push(JSON.parse(line)) });
  const worker = await fleet.start(engine, envOf(more), { log });
  onTestFinished(() => worker.stop());
  return { alerts: () => lines.flatMap(({ alert }) => alert ?? []) };
}

interface MemberRow {
  address?: string | null;
  locale?: string;
  time_zone?: string;
  window_minutes?: number;
  quiet_from?: number;
  quiet_to?: number;
  active?: boolean;
  level?: string;
}
async function newMember(row: MemberRow = {}): Promise<string> {
  const id = `m${randomBytes(5).toString("hex")}`;
  const columns = {
    id,
    workspace_id: fleet.config.ENGINE_PREFIX,
    address: `${id}@example.com`,
    ...row,
  };
  await fleet.pool.query(
    `insert into engine_notifications.members (${Object.keys(columns)})
     values (${Object.keys(columns).map((_, i) => `$${i + 1}`)})`,
    Object.values(columns),
  );
  return id;
}

const of = (receiverId: string, more: Partial<MailEntry> = {}) =>
  entryOf({ receiverId, workspaceId: fleet.config.ENGINE_PREFIX, ...more });

async function run(action: string, input: unknown) {
  const { reply } = await fleet.reply(await fleet.publish("notifications", action, input));
  return reply as { status: string; output: Record<string, never>; error?: object };
}
interface Timer {
  id: string;
  receiverId: string;
  window: number;
}
/** In a window that has ended. */
const PAST = Date.parse("2026-05-05T10:02:00Z");
async function queue(entries: MailEntry[], nowMs = PAST): Promise<Timer[]> {
  const { output } = await run("queue", { entries, nowMs });
  return (output as unknown as { timers: Timer[] }).timers;
}
const mail = ({ receiverId, window }: Timer) => run("digest", { receiverId, window });
const mailsTo = (id: string) => witness.mails.filter(({ to }) => to === `${id}@example.com`);

describe("a window", () => {
  test("gathers, has one timer, and is mailed once", async () => {
    await started();
    const ines = await newMember({ time_zone: "Europe/Madrid" });
    const timers = await queue([of(ines), of(ines)]);
    expect(timers).toEqual([
      {
        id: digestJobId(ines, Date.parse("2026-05-05T10:05:00Z")),
        receiverId: ines,
        window: Date.parse("2026-05-05T10:05:00Z"),
      },
    ]);
    expect(await queue([of(ines)])).toEqual([]);
    expect(await mail(timers[0] as Timer)).toMatchObject({
      output: { status: "sent", messageId: mailsTo(ines)[0]?.messageId },
    });
    // By hand, once more: another job of the same window.
    expect(await mail(timers[0] as Timer)).toMatchObject({ output: { status: "sent" } });
    const [only, ...more] = mailsTo(ines);
    expect(more).toEqual([]);
    expect((await simpleParser(only?.message ?? "")).subject).toContain("3 novedades");
  });

  test("takes an entry once, in whichever job and window it comes again", async () => {
    await started();
    const ines = await newMember();
    const entry = of(ines);
    const [timer] = await queue([entry, entry]);
    expect(await queue([entry])).toEqual([]);
    expect(await queue([entry], PAST + 3_600_000)).toEqual([]);
    await mail(timer as Timer);
    expect(await queue([entry], PAST + 7_200_000)).toEqual([]);
    const { subject } = await simpleParser(mailsTo(ines)[0]?.message ?? "");
    expect(subject).toContain("1 novedad");
  });

  test("that is closed takes nothing more: what comes late is in the next", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    await mail(timer as Timer);
    const [next] = await queue([of(ines)]);
    expect((next?.window ?? 0) - (timer?.window ?? 0)).toBe(300_000);
    await mail(next as Timer);
    expect(mailsTo(ines)).toHaveLength(2);
  });

  test("is read only when who is putting something in has committed", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    const client = await fleet.pool.connect();
    await client.query("begin");
    await queueMail(client, [of(ines)], MailSettings.parse(envOf()), PAST);
    const mailing = mail(timer as Timer);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(mailsTo(ines)).toEqual([]);
    await client.query("commit");
    client.release();
    await mailing;
    expect((await simpleParser(mailsTo(ines)[0]?.message ?? "")).subject).toContain("2 novedades");
  });

  test("two workers have it at once: one mails it, and the other says so", async () => {
    await Promise.all([started(), started()]);
    const ines = await newMember();
    witness.manners.taken = () => new Promise((resolve) => setTimeout(resolve, 300));
    const [timer] = await queue([of(ines)]);
    const both = await Promise.all([mail(timer as Timer), mail(timer as Timer)]);
    expect(both.map(({ output }) => (output as { status?: string }).status)).toEqual([
      "sent",
      "sent",
    ]);
    expect(mailsTo(ines)).toHaveLength(1);
  });

  test("that lost its timer gets another one with the next notification", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    const again = await queue([of(ines)], PAST + 2 * 3_600_000);
    expect(again.map(({ window }) => window).sort()).toEqual(
      [timer?.window, Date.parse("2026-05-05T12:05:00Z")].sort(),
    );
    expect(new Set([timer, ...again].map((it) => it?.id)).size).toBe(3);
  });

  test("is of a person's own length, and waits for the end of their quiet hours", async () => {
    await started();
    const night = { time_zone: "Europe/Madrid", quiet_from: 22 * 60, quiet_to: 7 * 60 };
    const [hourly, asleep] = await Promise.all([
      newMember({ time_zone: "Asia/Kolkata", window_minutes: 60 }),
      newMember(night),
    ]);
    const atMs = Date.parse("2026-05-05T21:10:00Z");
    const timers = await queue([of(hourly), of(asleep)], atMs);
    const dueOf = (id: string) =>
      new Date(timers.find(({ receiverId }) => receiverId === id)?.window ?? 0).toISOString();
    expect(dueOf(hourly)).toBe("2026-05-05T21:30:00.000Z");
    expect(dueOf(asleep)).toBe("2026-05-06T05:00:00.000Z");
  });

  test("a timer that runs too early puts the job off", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)], Date.now() + 3_600_000);
    const { receiverId, window } = timer as Timer;
    const env = MailSettings.parse(envOf());
    const early = runAction(engine.actions.digest, { receiverId, window }, { db: fleet.pool, env });
    await expect(early).rejects.toBeInstanceOf(RetryLater);
    await expect(early).rejects.toMatchObject({ delayMs: expect.closeTo(window - Date.now(), -4) });
  });
});

describe("who gets none", () => {
  test.each<[string, MemberRow]>([
    ["inactive", { active: false }],
    ["level off", { level: "off" }],
    ["without an address", { address: null }],
    ["with a hostile address", { address: "a@example.com\r\nRCPT TO:<b@example.com>" }],
  ])("%s: nothing is kept for them", async (_, row) => {
    await started();
    expect(await queue([of(await newMember(row))])).toEqual([]);
  });

  test("whom nobody knows", async () => {
    await started();
    expect(await queue([of("nobody-at-all")])).toEqual([]);
  });

  test("who left while their window was open: said, and not mailed", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    await fleet.pool.query("update engine_notifications.members set active = false where id = $1", [
      ines,
    ]);
    expect(await mail(timer as Timer)).toMatchObject({
      output: { status: "skipped", reason: "inactive" },
    });
    expect(mailsTo(ines)).toEqual([]);
  });

  test("without a mail server nothing is kept, and what was kept is a dead letter that says so", async () => {
    const ines = await newMember();
    const before = await fleet.start(engine, envOf());
    const [timer] = await queue([of(ines)]);
    await before.stop();
    const off = await fleet.start(engine);
    onTestFinished(() => off.stop());
    expect(await queue([of(ines, { at: 0 })])).toEqual([]);
    const refused = await mail(timer as Timer);
    expect(refused).toMatchObject({
      error: { code: "rejected", message: expect.stringContaining("NOTIFICATIONS_SMTP_URL") },
    });
    expect(await run("digest", { receiverId: "nobody", window: 5 })).toMatchObject({
      output: { status: "nothing" },
    });
    await fleet.deadLetters("notifications");
  });
});

describe("what the server answers", () => {
  test("550 at RCPT stops the address, and is told", async () => {
    await started();
    const ines = await newMember();
    witness.manners.rcpt = () => {
      throw new SmtpAnswer(550, "5.1.1 no such user");
    };
    const [timer] = await queue([of(ines)]);
    const id = await fleet.publish("notifications", "digest", {
      receiverId: ines,
      window: timer?.window,
    });
    expect((await fleet.reply(id)).reply).toMatchObject({
      output: { status: "bounced", reason: expect.stringContaining("no such user") },
    });
    const [row] = await fleet.rows(id);
    expect(JSON.parse(String(row?.events)).map(({ type }: { type: string }) => type)).toEqual([
      "mail.stopped",
      "mail.undelivered",
    ]);
    witness.manners = {};
    expect(await queue([of(ines)])).toEqual([]);
    await run("resubscribe", { address: `${ines}@EXAMPLE.com`.toUpperCase() });
    expect(await queue([of(ines)])).toHaveLength(1);
  });

  test("a mailbox that is full stops the address with the third mail", async () => {
    await started();
    const ines = await newMember();
    witness.manners.rcpt = () => {
      throw new SmtpAnswer(552, "5.2.2 mailbox full");
    };
    for (const n of [0, 1, 2]) {
      const [timer] = await queue([of(ines)], PAST + n * 3_600_000);
      expect(await mail(timer as Timer)).toMatchObject({ output: { status: "bounced" } });
    }
    expect(await queue([of(ines)], PAST + 3 * 3_600_000)).toEqual([]);
  });

  test("554 after DATA ends the mail, and leaves the address", async () => {
    await started();
    const ines = await newMember();
    witness.manners.taken = () => {
      throw new SmtpAnswer(554, "5.6.0 not like this");
    };
    const [timer] = await queue([of(ines)]);
    expect(await mail(timer as Timer)).toMatchObject({ output: { status: "refused" } });
    expect(await queue([of(ines)])).toHaveLength(1);
  });

  test.each([
    ["greylisting", 451],
    ["a busy server", 421],
    ["relaying denied", 550],
  ])("%s: the same mail, later", async (_, code) => {
    await started();
    const ines = await newMember();
    let refusals = 2;
    witness.manners.rcpt = () => {
      if (refusals-- > 0)
        throw new SmtpAnswer(code, code === 550 ? "5.7.1 relaying denied" : "4.7.1 later");
    };
    const [timer] = await queue([of(ines)]);
    expect(await mail(timer as Timer)).toMatchObject({ output: { status: "sent" } });
    expect(mailsTo(ines)).toHaveLength(1);
    expect(refusals).toBe(-1);
  });

  test("cut after DATA: the server has it, the client an error, and the repeat is the same bytes", async () => {
    await started();
    const ines = await newMember();
    let cuts = 1;
    witness.manners.taken = (_, cut) => {
      if (cuts-- > 0) cut();
    };
    const [timer] = await queue([of(ines)]);
    expect(await mail(timer as Timer)).toMatchObject({ output: { status: "sent" } });
    const sent = mailsTo(ines);
    expect(sent).toHaveLength(2);
    expect(new Set(sent.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  test("what is put off for too long is given up, and told", async () => {
    await started({ NOTIFICATIONS_GIVE_UP_HOURS: "1" });
    const ines = await newMember();
    witness.manners.rcpt = () => {
      throw new SmtpAnswer(451, "4.2.2 try again");
    };
    const [timer] = await queue([of(ines)]);
    const mailing = mail(timer as Timer);
    await fleet.until("the frozen mail", async () => {
      const { rowCount } = await fleet.pool.query(
        "update engine_notifications.mails set frozen_at = now() - interval '2 hours' where receiver_id = $1",
        [ines],
      );
      return rowCount === 1 || undefined;
    });
    expect(await mailing).toMatchObject({
      output: { status: "given_up", reason: expect.stringContaining("try again") },
    });
  });

  test("what is put off for long, or given up, is for somebody to look at", async () => {
    const { alerts } = await started({ NOTIFICATIONS_GIVE_UP_HOURS: "1" });
    const ines = await newMember();
    witness.manners.rcpt = () => {
      throw new SmtpAnswer(451, "4.2.2 try again");
    };
    const [timer] = await queue([of(ines)]);
    const { receiverId, window } = timer as Timer;
    // Of jobs of their own: one that was put off for long waits for minutes.
    const mailAtAge = async (minutes: number) => {
      await fleet.until("the frozen mail", async () => {
        const { rowCount } = await fleet.pool.query(
          "update engine_notifications.mails set frozen_at = now() - make_interval(mins => $2) where receiver_id = $1",
          [ines, minutes],
        );
        return rowCount === 1 || undefined;
      });
      await fleet.publish("notifications", "digest", { receiverId, window });
    };
    await fleet.publish("notifications", "digest", { receiverId, window });
    await mailAtAge(20);
    await fleet.until("its alert", () => alerts().includes("mail_put_off") || undefined);
    await mailAtAge(61);
    await fleet.until("the last one", () => alerts().includes("mail_given_up") || undefined);
  });

  test("a server without encryption gets nothing where that is required", async () => {
    await started({ NOTIFICATIONS_SMTP_TLS: "required", NOTIFICATIONS_GIVE_UP_HOURS: "1" });
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    const mailing = mail(timer as Timer);
    await fleet.until("the frozen mail", async () => {
      const { rowCount } = await fleet.pool.query(
        "update engine_notifications.mails set frozen_at = now() - interval '2 hours' where receiver_id = $1",
        [ines],
      );
      return rowCount === 1 || undefined;
    });
    expect(await mailing).toMatchObject({ output: { status: "given_up" } });
    expect(mailsTo(ines)).toEqual([]);
  });

  /** Mails one window by another server, and lets it be given up where it can't. */
  async function mailBy(server: MailWitness, url: string, tls: string) {
    await started({ NOTIFICATIONS_SMTP_URL: url, NOTIFICATIONS_SMTP_TLS: tls });
    onTestFinished(() => server.close());
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    const mailing = mail(timer as Timer);
    await fleet.until("the frozen mail", async () => {
      const { rowCount } = await fleet.pool.query(
        "update engine_notifications.mails set frozen_at = now() - interval '5 days' where receiver_id = $1",
        [ines],
      );
      return rowCount === 1 || undefined;
    });
    return (await mailing).output as { status?: string; reason?: string };
  }

  test("a certificate of nobody's is no encryption: nothing goes to its server", async () => {
    const server = await openMailWitness({ disabledCommands: [] });
    expect(await mailBy(server, server.url, "required")).toMatchObject({
      status: "given_up",
      reason: expect.stringMatching(/certificate/i),
    });
    expect(server.mails).toEqual([]);
  });

  test.each([
    ["p@ss:word", { status: "sent" }],
    ["hunter2", { status: "given_up", reason: expect.stringContaining("bad credentials") }],
  ])(
    "it is told user and password, and a wrong one is its own fault: %s",
    async (password, end) => {
      const server = await openMailWitness({
        authOptional: false,
        allowInsecureAuth: true,
        onAuth: (
          given: { password?: string },
          _: object,
          done: (error: Error | null, who?: object) => void,
        ) =>
          given.password === "p@ss:word"
            ? done(null, { user: "u" })
            : done(new SmtpAnswer(535, "5.7.8 bad credentials")),
      });
      const url = server.url.replace("//", `//u:${encodeURIComponent(password)}@`);
      const output = await mailBy(server, url, "off");
      expect(output).toMatchObject(end);
      expect(JSON.stringify(output)).not.toContain(password);
    },
  );

  test.each([
    [{ responseCode: 550, command: "RCPT TO", response: "550 5.1.1 x" }, "bounced"],
    [{ responseCode: 553, command: "RCPT TO", response: "553 no" }, "bounced"],
    [{ responseCode: 552, command: "RCPT TO", response: "552 5.2.2 full" }, "bounced"],
    [{ responseCode: 554, command: "RCPT TO", response: "554 5.7.1 relay" }, "later"],
    [{ responseCode: 530, command: "RCPT TO", response: "530 5.7.0 auth" }, "later"],
    [{ responseCode: 503, command: "RCPT TO", response: "503 order" }, "later"],
    [{ responseCode: 452, command: "RCPT TO", response: "452 4.2.2 full" }, "later"],
    [{ responseCode: 550, command: "MAIL FROM", response: "550 who are you" }, "later"],
    [{ responseCode: 535, command: "AUTH PLAIN", response: "535 5.7.8 bad" }, "later"],
    [{ responseCode: 554, command: "CONN", response: "554 not today" }, "later"],
    [{ responseCode: 554, command: "DATA", response: "554 spam" }, "refused"],
    [{ responseCode: 552, command: "DATA", response: "552 size" }, "refused"],
    [{ responseCode: 421, command: "DATA", response: "421 bye" }, "later"],
    [{ code: "ECONNECTION" }, "later"],
    [{ code: "ETIMEDOUT" }, "later"],
    [{ code: "ETLS" }, "later"],
    [{ code: "EDNS" }, "later"],
    [{ code: "EENVELOPE" }, "bounced"],
    [{ code: "EMESSAGE", command: "MAIL FROM" }, "refused"],
  ])("%j is %s", (error, kind) => {
    expect(readRefusal(Object.assign(new Error("x"), error)).kind).toBe(kind);
  });
});

describe("the way out and back", () => {
  test("a token ends a person's mails, also those that wait; it can be used again", async () => {
    await started();
    const ines = await newMember();
    const [timer] = await queue([of(ines)]);
    const token = signToken(ines, SECRET);
    expect(await run("unsubscribe", { token })).toMatchObject({ output: { stopped: true } });
    expect(await run("unsubscribe", { token })).toMatchObject({ output: { stopped: true } });
    expect(await mail(timer as Timer)).toMatchObject({
      output: { status: "skipped", reason: "unsubscribed" },
    });
    expect(await queue([of(ines)])).toEqual([]);
    expect(await run("resubscribe", { receiverId: ines })).toMatchObject({
      output: { stopped: false },
    });
    expect(await queue([of(ines)])).toHaveLength(1);
  });

  test("a mail that is put off is not sent any more once its person has left", async () => {
    await started();
    const ines = await newMember();
    let asked = 0;
    witness.manners.rcpt = () => {
      asked++;
      throw new SmtpAnswer(451, "4.2.2 try again");
    };
    const [timer] = await queue([of(ines)]);
    const mailing = mail(timer as Timer);
    await fleet.until("the first attempt", () => asked > 0 || undefined);
    await run("unsubscribe", { token: signToken(ines, SECRET) });
    witness.manners = {};
    expect(await mailing).toMatchObject({ output: { status: "skipped", reason: "stopped" } });
    expect(mailsTo(ines)).toEqual([]);
  });

  test("a token of somebody else's making ends nothing", async () => {
    await started();
    const ines = await newMember();
    const token = signToken(ines, "x".repeat(40));
    expect(await run("unsubscribe", { token })).toMatchObject({
      output: { stopped: false, problem: "not_ours" },
    });
    expect(await queue([of(ines)])).toHaveLength(1);
  });

  test("an address stops with a hard bounce or a complaint at once, with the third soft one", async () => {
    await started();
    const [hard, angry, full] = await Promise.all([newMember(), newMember(), newMember()]);
    const bounce = (id: string, kind: string) =>
      run("bounced", { address: `${id.toUpperCase()}@Example.com`, kind });
    expect(await bounce(hard, "hard")).toMatchObject({ output: { stopped: true } });
    expect(await bounce(angry, "complaint")).toMatchObject({ output: { stopped: true } });
    const soft = [
      await bounce(full, "soft"),
      await bounce(full, "soft"),
      await bounce(full, "soft"),
    ];
    expect(soft.map(({ output }) => (output as { stopped?: boolean }).stopped)).toEqual([
      false,
      false,
      true,
    ]);
    expect(await queue([of(hard), of(angry), of(full)])).toEqual([]);
  });
});

describe("reminders", () => {
  const items = (receivers: string[], targetDate: string) => [
    { id: `i-${receivers[0]}`, key: "TL-7", name: "Renovar", targetDate, receivers },
  ];
  test("however often they are asked for, one in a window, and one a stage", async () => {
    await started();
    const ines = await newMember({ locale: "en" });
    const today = new Date().toISOString().slice(0, 10);
    const ask = (date: string) =>
      run("remind", {
        workspaceId: fleet.config.ENGINE_PREFIX,
        projectId: "p",
        items: items([ines], date),
      });
    expect(await ask(today)).toMatchObject({ output: { windows: 1 } });
    expect(await ask(today)).toMatchObject({ output: { windows: 0 } });
    const { rows } = await fleet.pool.query(
      "select activity_id from engine_notifications.mail_entries where receiver_id = $1",
      [ines],
    );
    expect(rows).toEqual([{ activity_id: `due:i-${ines}:${today}:today` }]);
  });
});

test("what is past its retention is removed, and nothing else", async () => {
  await started();
  const [old, fresh] = await Promise.all([newMember(), newMember()]);
  for (const timer of await queue([of(old), of(fresh)])) await mail(timer);
  await fleet.pool.query(
    "update engine_notifications.mails set ended_at = now() - interval '31 days' where receiver_id = $1",
    [old],
  );
  expect(await purgeMails(fleet.pool, MailSettings.parse(envOf()))).toBeUndefined();
  for (const table of ["mails", "mail_windows", "mail_entries"]) {
    const { rows } = await fleet.pool.query(
      `select distinct receiver_id from engine_notifications.${table} where receiver_id = any($1)`,
      [[old, fresh]],
    );
    expect(rows).toEqual([{ receiver_id: fresh }]);
  }
});
