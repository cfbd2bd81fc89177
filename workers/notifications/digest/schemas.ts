/** Inputs and outputs of the mail's actions. */
import { anySpelling, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { given, Id, storable } from "../schemas/vocabulary.ts";

/** No address is longer; what is none can't be stopped, and does no harm. */
const Address = storable(320).min(1);
const MAX_ITEMS = 1_000;
const MAX_RECEIVERS = 100;
const MAX_EPOCH_MS = 8_640_000_000_000_000;

export const DigestInput = anySpelling(
  z.object({
    receiverId: Id.describe("Whose window."),
    window: z.int().min(0).max(MAX_EPOCH_MS).describe("The window's end, milliseconds since 1970."),
    keyWarnings: KeyWarnings,
  }),
);
export type DigestInput = z.output<typeof DigestInput>;

export const DigestOutput = z.object({
  status: z
    .enum(["sent", "bounced", "refused", "given_up", "skipped", "nothing"])
    .describe(
      "What became of the window's mail: taken by the server; the address takes none; the server does not take this one; put off for too long; not wanted by the person any more; nothing was in the window.",
    ),
  messageId: z.string().optional().describe("Its Message-ID, where there was a mail."),
  reason: z.string().optional().describe("The server's words, or why none was sent."),
});
export type DigestOutput = z.output<typeof DigestOutput>;

export const UnsubscribeInput = anySpelling(
  z.object({
    token: z.string().max(4_000).describe("The token of the link, as the mail has it."),
    keyWarnings: KeyWarnings,
  }),
);
export type UnsubscribeInput = z.output<typeof UnsubscribeInput>;

export const BouncedInput = anySpelling(
  z.object({
    address: Address.describe("The address that it came back from, in any case."),
    kind: z
      .enum(["hard", "complaint", "soft"])
      .describe(
        "hard and complaint stop the address at once; soft, such as a full mailbox, with the third.",
      ),
    keyWarnings: KeyWarnings,
  }),
);
export type BouncedInput = z.output<typeof BouncedInput>;

export const ResubscribeInput = anySpelling(
  z
    .object({
      receiverId: Id.nullish().describe("The person who wants mail again."),
      address: Address.nullish().describe("The address that takes mail again."),
      keyWarnings: KeyWarnings,
    })
    .refine(({ receiverId, address }) => receiverId != null || address != null, {
      error: "says neither who nor which address: give receiverId, address, or both",
    })
    .meta({
      not: {
        allOf: [{ not: given("receiverId", "receiver_id") }, { not: given("address") }],
      },
    }),
);
export type ResubscribeInput = z.output<typeof ResubscribeInput>;

export const StopOutput = z.object({
  stopped: z.boolean().describe("Whether the person or address gets no mail from now on."),
  problem: z
    .enum(["not_ours", "no_secrets"])
    .optional()
    .describe(
      "Why a token did nothing: none of our secrets signed it; or the engine has no NOTIFICATIONS_TOKEN_SECRETS.",
    ),
});
export type StopOutput = z.output<typeof StopOutput>;

const DueItem = z.object({
  id: Id.describe("The item."),
  key: storable(100).nullish().describe("What people call it, as `PRJ-12`."),
  name: storable(2_000).nullish().describe("Its title."),
  targetDate: z.iso.date().describe("The day it is due, YYYY-MM-DD."),
  receivers: z.array(Id).max(MAX_RECEIVERS).describe("Who is to be reminded."),
});

export const RemindInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The items' project."),
    items: z.array(DueItem).max(MAX_ITEMS).describe("What is due soon, today, or was."),
    keyWarnings: KeyWarnings,
  }),
);
export type RemindInput = z.output<typeof RemindInput>;

export const RemindOutput = z.object({
  windows: z
    .int()
    .describe(
      "Digests that the reminders opened; others went into digests that were open already.",
    ),
});
export type RemindOutput = z.output<typeof RemindOutput>;
