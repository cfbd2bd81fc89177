/** The mail's actions, for the engine's definition. */
import { action } from "@tl-engine/shared";
import { bounced, resubscribe, unsubscribe } from "./bounced.ts";
import { digest } from "./digest.ts";
import { MAIL_EVENTS } from "./events.ts";
import { remind } from "./remind.ts";
import {
  BouncedInput,
  DigestInput,
  DigestOutput,
  RemindInput,
  RemindOutput,
  ResubscribeInput,
  StopOutput,
  UnsubscribeInput,
} from "./schemas.ts";
import type { TimerJob } from "./timer.ts";

const { "mail.undelivered": undelivered, "mail.stopped": stopped } = MAIL_EVENTS;

export const mailActions = {
  /** Mails a window. Its timer is set when something is put into it; to publish one by hand does no harm. */
  digest: action({
    version: 1,
    input: DigestInput,
    output: DigestOutput,
    emits: { "mail.undelivered": undelivered, "mail.stopped": stopped },
    examples: [
      {
        title: "A window that nothing was put into.",
        input: (n, workspaceId) => ({
          receiverId: `${workspaceId}-${n}`,
          window: 1_770_000_000_000,
        }),
      },
    ],
    handle: digest,
  }),

  /** Reminds people of what is due, in the next digest of each. */
  remind: action({
    version: 1,
    input: RemindInput,
    output: RemindOutput,
    examples: [
      {
        title: "In snake_case: an item that is due.",
        input: (n, workspaceId) => ({
          workspace_id: workspaceId,
          project_id: "project-1",
          items: [
            {
              ...{ id: `issue-${n}`, key: `TL-${n}`, name: "Renovar el certificado" },
              ...{ target_date: "2026-05-06", receivers: ["member-1"] },
            },
          ],
        }),
      },
    ],
    handle: (input, job) => remind(input, job as typeof job & TimerJob),
  }),

  /** Ends a person's mails, by the token of the link in one of them. */
  unsubscribe: action({
    version: 1,
    input: UnsubscribeInput,
    output: StopOutput,
    emits: { "mail.stopped": stopped },
    examples: [
      {
        title: "A token that is none of ours.",
        input: (n) => ({ token: `bWVtYmVyLTE.${String(n).padStart(43, "A")}` }),
      },
    ],
    handle: unsubscribe,
  }),

  /** Tells of a bounce or a complaint, which stops the address. */
  bounced: action({
    version: 1,
    input: BouncedInput,
    output: StopOutput,
    emits: { "mail.stopped": stopped },
    examples: [
      {
        title: "A mailbox that is full.",
        input: (n, workspaceId) => ({ address: `${workspaceId}-${n}@example.com`, kind: "soft" }),
      },
    ],
    handle: bounced,
  }),

  /** Starts the mail again, to a person, an address, or both. */
  resubscribe: action({
    version: 1,
    input: ResubscribeInput,
    output: StopOutput,
    examples: [
      {
        title: "A person who wants mail again.",
        input: (n, workspaceId) => ({ receiver_id: `${workspaceId}-${n}` }),
      },
    ],
    handle: resubscribe,
  }),
};
