/** What the mail announces to whoever shows it to people. */
import { z } from "zod";

const Text = z.string();

export const MAIL_EVENTS = {
  "mail.undelivered": z
    .object({
      workspaceId: Text.describe("Workspace of the digest's first entry."),
      receiverId: Text.describe("Whose digest it was."),
      address: Text.describe("Where it was to go."),
      messageId: Text.describe("Its Message-ID."),
      status: z
        .enum(["bounced", "refused", "given_up"])
        .describe(
          "The address takes no mail; the server does not take this one; it was put off for too long.",
        ),
      reply: Text.describe("The server's last words, at most 300 characters."),
    })
    .meta({ title: "MailUndelivered", description: "A digest ended without having been sent." }),
  "mail.stopped": z
    .object({
      address: Text.optional().describe("In lower case; absent where a person ended their mails."),
      receiverId: Text.optional().describe("The person; absent where an address was stopped."),
      reason: z
        .enum(["unsubscribed", "hard", "complaint", "soft"])
        .describe("By the person; or by what came back from the address."),
    })
    .meta({ title: "MailStopped", description: "A person or an address gets no more mail." }),
} as const;
