/** Plane's own cases: who is told what, as Plane told them, but for the mails that it sends to the wrong person. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { atOnce } from "@tl-engine/shared";
import { describe, expect, test } from "vitest";
import { RecipientsInput } from "../schemas/recipients.ts";
import { answer } from "./answer.ts";

const folder =
  process.env.TL_DATA_DIR ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const file = `${folder}/notification-examples.ndjson`;
const isThere = existsSync(file);
if (!isThere) console.warn(`skipped: Plane's examples are not at ${file} (set TL_DATA_DIR)`);

interface Told {
  receiver: string;
  reason?: string;
  activity: string;
  field?: string;
}
interface Example {
  id: string;
  note: string;
  expected: {
    inApp: Told[];
    email: Told[];
    newSubscribers: string[];
    mentionsAdded: string[];
    mentionsRemoved: string[];
  };
  rightEmail?: Told[];
}

const asSet = (told: object[]) =>
  told.map((one) => JSON.stringify(Object.entries(one).sort())).sort();

describe.skipIf(!isThere)("Plane's own examples", () => {
  const lines = isThere ? readFileSync(file, "utf8").trim().split("\n") : [];
  const examples = lines.map((line) => JSON.parse(line) as Example);

  test.each(examples.map((example) => [example.note, example] as const))("%s", (_note, example) => {
    const { expected, rightEmail = expected.email } = example;
    const got = atOnce(answer(RecipientsInput.parse(example)));
    const inApp = got.inApp.map(({ receiverId: receiver, reason, activityId: activity }) => ({
      ...{ receiver, reason, activity },
    }));
    const email = got.email.map(({ receiverId: receiver, activityId: activity, field }) => ({
      ...{ receiver, activity, field },
    }));
    expect(asSet(inApp)).toEqual(asSet(expected.inApp));
    expect(asSet(email)).toEqual(asSet(rightEmail));
    expect(got.newSubscribers.toSorted()).toEqual(expected.newSubscribers.toSorted());
    expect(got.mentionsAdded.toSorted()).toEqual(expected.mentionsAdded.toSorted());
    expect(got.mentionsRemoved.toSorted()).toEqual(expected.mentionsRemoved.toSorted());
    expect(got.warnings).toEqual([]);
  });
});
