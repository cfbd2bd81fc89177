/** A bug of the runtime itself under a job: the job ends within its attempts, and others run meanwhile. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Outgoing } from "../broker/publish-frames.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe, runs } from "../testing/probe-engine.ts";

let fleet: TestFleet;
/** Replies of this job fail, as often as it says. */
let doomed: { id: string; times: number } = { id: "", times: 0 };

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.start(
    probe,
    {},
    {
      parts: (parts) => ({
        ...parts,
        publisher: {
          ...parts.publisher,
          publish(outgoing: Outgoing, signal?: AbortSignal) {
            if (outgoing.exchange === "" && outgoing.correlationId === doomed.id) {
              const isReply = !outgoing.routingKey.endsWith(".dead");
              if (isReply && doomed.times-- > 0) throw new TypeError("a bug of ours");
            }
            return parts.publisher.publish(outgoing, signal);
          },
        },
      }),
    },
  );
});
afterAll(() => fleet?.close());

const doom = (times: number) => {
  doomed = { id: fleet.newId(), times };
  return fleet.publish(
    "probe",
    "run",
    { value: "x" },
    { messageId: doomed.id, correlationId: doomed.id },
  );
};

test("that passes costs an attempt, and the stored result is told", async () => {
  const id = await doom(1);
  expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", attempt: 1 }]);
});

test("that stays ends the job as a dead letter after its attempts, with its row untouched", async () => {
  const id = await doom(1_000);
  const letter = await fleet.until("its dead letter", async () =>
    (await fleet.deadLetters("probe")).find((dead) => dead.id === id),
  );
  expect(letter.headers["x-error-code"]).toBe("attempts_exhausted");
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded" }]);
  expect(runs.get(id)).toBeLessThanOrEqual(3);
  const other = await fleet.publish("probe", "run", {});
  expect((await fleet.reply(other)).reply).toMatchObject({ status: "succeeded" });
});
