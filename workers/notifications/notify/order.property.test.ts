/** Whatever the order in which jobs come, and however often: what is kept, and who is told next, is the same. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { LEVELS } from "../schemas/vocabulary.ts";
import { type Job, type Kept, openKept } from "./kept.fixture.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const PEOPLE = ["ana", "luis", "eva"];
const iso = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const epochOf = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second) / 1_000;

const person = fc.constantFrom(...PEOPLE);
// Few instants, so that some are equal.
const second = fc.nat(5);
const updatedAt = second.map(iso);
const gone = fc.record({ id: person, updatedAt });
const put = fc.record({
  ...{ id: person, updatedAt, active: fc.boolean() },
  name: fc.option(fc.constantFrom("A", "B")),
  address: fc.option(fc.constantFrom("a@x.example", "b@x.example")),
});
const members = fc.record({
  projectId: fc.constantFrom("p", undefined),
  put: fc.array(put, { maxLength: 3 }),
  remove: fc.array(gone, { maxLength: 1 }),
});
const people = fc.option(fc.subarray(PEOPLE), { nil: undefined });
const followed = fc.record({
  issueId: fc.constant("i"),
  projectId: fc.constant("p"),
  ...{ updatedAt, subscribers: people, assignees: people },
  key: fc.option(fc.constantFrom("K-1", "K-2")),
  name: fc.option(fc.constantFrom("One", "Two")),
  createdBy: fc.option(person),
});
const unfollowed = fc.record({
  ...{ issueId: fc.constant("i"), memberId: fc.option(person, { nil: undefined }), updatedAt },
});
const subscriptions = fc.record({
  put: fc.array(followed, { maxLength: 2 }),
  remove: fc.array(unfollowed, { maxLength: 2 }),
});
const preferences = fc.record({
  ...{ memberId: person, updatedAt, level: fc.constantFrom(...LEVELS) },
  switches: fc.record({ propertyChange: fc.boolean(), comment: fc.boolean() }),
});
const entry = fc.record({
  field: fc.constantFrom("assignees", "name", "priority"),
  ...{ oldIdentifier: fc.option(person), newIdentifier: fc.option(person) },
  newValue: fc.constantFrom("Three", "Four"),
});
const change = fc
  .record({
    second,
    actorId: person,
    isCreation: fc.boolean(),
    entries: fc.array(entry),
    n: fc.uuid(),
  })
  .map(({ second, actorId, entries, n, ...rest }) => ({
    ...{ ...rest, projectId: "p", issueId: "i", type: "issue.activity.updated", actorId },
    epoch: epochOf(second),
    activities: entries.map((it, at) => ({
      ...{ ...it, id: `${n}-${at}`, issueId: "i", actorId, epoch: epochOf(second) },
    })),
  }));
const job: fc.Arbitrary<Job> = fc.oneof(
  members.map((input) => ({ action: "members" as const, input })),
  subscriptions.map((input) => ({ action: "subscriptions" as const, input })),
  preferences.map((input) => ({ action: "preferences" as const, input })),
  change.map((input) => ({ action: "notify" as const, input })),
);

const personJob: fc.Arbitrary<Job> = fc.oneof(
  members.map((input) => ({ action: "members" as const, input })),
  preferences.map((input) => ({ action: "preferences" as const, input })),
);

/** Persons are the engine's, not a workspace's: each run has its own. */
const ownIds = ({ action, input }: Job, own: string): Job => ({
  action,
  input: JSON.parse(JSON.stringify(input).replaceAll(/"(ana|luis|eva|i|p)"/g, `"$1-${own}"`)),
});

const PROBE: Job = {
  action: "notify",
  input: {
    ...{ projectId: "p", issueId: "i", type: "issue.activity.updated", actorId: "other" },
    epoch: epochOf(60),
    activities: ["priority", "comment"].map((field) => ({
      ...{ id: `probe-${field}`, issueId: "i", field, actorId: "other", epoch: epochOf(60) },
    })),
  },
};

const databaseUrl = process.env.DATABASE_URL;
describe.skipIf(!databaseUrl)("on Postgres", () => {
  let kept: Kept;
  beforeAll(async () => {
    kept = await openKept(String(databaseUrl));
  });
  afterAll(() => kept?.close());

  async function afterAllOf(jobs: readonly Job[]) {
    const own = kept.newWorkspace();
    for (const each of jobs) await kept.run(own, ownIds(each, own));
    const tables = await kept.tables(own);
    const { output, job } = await kept.run(own, ownIds(PROBE, own));
    const told = job.emitted.map(({ data }) =>
      (
        data as { notifications: { receiverId: string; reason: string; activityId: string }[] }
      ).notifications
        .map(({ receiverId, reason, activityId }) => `${receiverId} ${reason} ${activityId}`)
        .sort()
        .join()
        .replaceAll(own, "W"),
    );
    return { tables, told, mails: output.mails };
  }

  const inAnyOrder = (of: fc.Arbitrary<Job>) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(of, { minLength: 2, maxLength: 6 }).chain((jobs) =>
          fc.record({
            jobs: fc.constant(jobs),
            order: fc.shuffledSubarray(jobs, { minLength: jobs.length }),
            again: fc.subarray(jobs),
          }),
        ),
        async ({ jobs, order, again }) => {
          const [one, other] = [await afterAllOf(jobs), await afterAllOf([...order, ...again])];
          expect(other).toEqual(one);
        },
      ),
      { numRuns: 120 },
    );

  test("any order, and twice", () => inAnyOrder(job));
  // Few of the above are about one person in one way.
  test("of what is said of persons alone", () => inAnyOrder(personJob));
});
