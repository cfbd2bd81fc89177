/** Jobs side by side and suspects alone, whoever comes when. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Lane } from "../wire/names.ts";
import { Gate } from "./gate.ts";

test("a suspect runs alone, and nobody starves", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          alone: fc.boolean(),
          lane: fc.constantFrom<Lane[]>("interactive", "bulk"),
          turns: fc.integer({ min: 0, max: 5 }),
        }),
        { maxLength: 30 },
      ),
      fc.integer({ min: 1, max: 4 }),
      async (jobs, limit) => {
        const gate = new Gate(limit);
        let shared = 0;
        let alone = 0;
        const done = jobs.map(async (job) => {
          await (job.alone ? gate.enterAlone() : gate.enter(job.lane));
          if (job.alone) alone++;
          else shared++;
          expect(shared).toBeLessThanOrEqual(limit);
          expect(alone === 0 || (alone === 1 && shared === 0)).toBe(true);
          for (let turn = 0; turn < job.turns; turn++) await Promise.resolve();
          if (job.alone) {
            alone--;
            gate.leaveAlone();
          } else {
            shared--;
            gate.leave();
          }
        });
        await Promise.all(done);
        expect(gate.tryEnter()).toBe(true);
      },
    ),
  );
});

/** Fills the only place, lets them queue up, and tells in which order they come in. */
async function orderOf(lanes: (Lane | "alone")[]): Promise<string> {
  const gate = new Gate(1);
  await gate.enter();
  let order = "";
  const entered = lanes.map(async (lane) => {
    await (lane === "alone" ? gate.enterAlone() : gate.enter(lane));
    order += lane[0];
    if (lane === "alone") gate.leaveAlone();
    else gate.leave();
  });
  gate.leave();
  await Promise.all(entered);
  return order;
}

test("interactive jobs go before bulk ones that came earlier", async () => {
  expect(await orderOf(["bulk", "bulk", "interactive", "interactive"])).toBe("iibb");
});

test("every eighth place is a bulk job's while interactive ones keep coming", async () => {
  const interactive = Array<Lane>(16).fill("interactive");
  expect(await orderOf(["bulk", "bulk", "bulk", ...interactive])).toBe("iiiiiiibiiiiiiibiib");
});

test("a suspect goes before all that came after it, in either lane", async () => {
  expect(await orderOf(["bulk", "alone", "interactive", "bulk"])).toBe("baib");
});

test("once closed nobody waits", async () => {
  const gate = new Gate(1);
  await gate.enter();
  const waiting = [gate.enter("bulk"), gate.enter(), gate.enterAlone()];
  gate.close();
  await Promise.all([...waiting, gate.enter()]);
});
