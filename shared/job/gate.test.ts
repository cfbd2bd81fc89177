/** Jobs side by side and suspects alone, whoever comes when. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Gate } from "./gate.ts";

test("a suspect runs alone, and nobody starves", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ alone: fc.boolean(), turns: fc.integer({ min: 0, max: 5 }) }), {
        maxLength: 30,
      }),
      async (jobs) => {
        const gate = new Gate();
        let shared = 0;
        let alone = 0;
        const done = jobs.map(async (job) => {
          await (job.alone ? gate.enterAlone() : gate.enter());
          if (job.alone) alone++;
          else shared++;
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
