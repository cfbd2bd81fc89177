/** The engine `notifications`: says who is told of a change, tells them in the application, and mails digests. */
import { action, atOnce, defineWorker, inTurns } from "@tl-engine/shared";
import { mailActions } from "./digest/actions.ts";
import { purgeMails } from "./digest/purge.ts";
import { MailSettings } from "./digest/settings.ts";
import {
  MEMBERS_EXAMPLES,
  NOTIFY_EXAMPLES,
  PREFERENCES_EXAMPLES,
  RECIPIENTS_EXAMPLES,
  SUBSCRIPTIONS_EXAMPLES,
} from "./examples.ts";
import { keyDoubts } from "./key-doubts.ts";
import { keepMembers, keepPreferences, keepSubscriptions } from "./members/keep.ts";
import { notifyInputOf } from "./notify/activity-event.ts";
import { notify } from "./notify/notify.ts";
import { NotificationCreated, NotifyInput, NotifyOutput } from "./notify/schemas.ts";
import { answer, isLong } from "./recipients/answer.ts";
import {
  KeptOutput,
  MembersInput,
  PreferencesInput,
  SubscriptionsInput,
} from "./schemas/members.ts";
import { RecipientsInput, RecipientsOutput } from "./schemas/recipients.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "notifications",
  concurrency: 32,
  timeoutMs: 60_000,
  transactions: 3,
  env: MailSettings,
  purge: purgeMails,
  actions: {
    /** Says who is told what of a change, from what the job brings alone. */
    recipients: action({
      version: 1,
      input: RecipientsInput,
      output: RecipientsOutput,
      examples: RECIPIENTS_EXAMPLES,
      maxInputBytes: 8 * MIB,
      maxOutputBytes: 8 * MIB,
      handle: (input, job) =>
        isLong(input) ? inTurns(answer(input), job.signal) : atOnce(answer(input)),
    }),

    /** Tells of a change that was recorded, by what is kept of members and followers. */
    notify: action({
      version: 1,
      input: NotifyInput,
      output: NotifyOutput,
      emits: { "notification.created": NotificationCreated },
      examples: NOTIFY_EXAMPLES,
      maxInputBytes: 8 * MIB,
      handleBatch: (jobs, batch) => notify(jobs, batch),
    }),

    /** Keeps who is a member of a project, and where and how they are told. */
    members: action({
      version: 1,
      input: MembersInput,
      output: KeptOutput,
      examples: MEMBERS_EXAMPLES,
      handle: async (input, job) => ({
        kept: await keepMembers(await job.tx(), input),
        warnings: keyDoubts(input.keyWarnings),
      }),
    }),

    /** Keeps who follows an item, and who it is assigned to. */
    subscriptions: action({
      version: 1,
      input: SubscriptionsInput,
      output: KeptOutput,
      examples: SUBSCRIPTIONS_EXAMPLES,
      maxInputBytes: 4 * MIB,
      handle: async (input, job) => ({
        kept: await keepSubscriptions(await job.tx(), input),
        warnings: keyDoubts(input.keyWarnings),
      }),
    }),

    /** Keeps how a person wants to be told. */
    preferences: action({
      version: 1,
      input: PreferencesInput,
      output: KeptOutput,
      examples: PREFERENCES_EXAMPLES,
      handle: async (input, job) => ({
        kept: await keepPreferences(await job.tx(), input),
        warnings: keyDoubts(input.keyWarnings),
      }),
    }),

    ...mailActions,
  },
  on: { "activity.recorded": { action: "notify", map: notifyInputOf } },
});
