/** What flows hold together is bounded, and none of them waits for ever. */
import { setTimeout as sleep } from "node:timers/promises";
import { RetryLater } from "@tl-engine/shared";
import { expect, test } from "vitest";
import { Room } from "./room.ts";

const { signal } = new AbortController();

test("who fits enters; the others in their order, a large one before the small ones after it", async () => {
  const room = new Room(10);
  const entered: string[] = [];
  const enter = (name: string, size: number) =>
    room.enter(size, signal).then((leave) => {
      entered.push(name);
      return leave;
    });
  const first = await enter("first", 6);
  const large = enter("larger than all", 50);
  const small = enter("small", 1);
  await sleep(10);
  expect(entered).toEqual(["first"]);
  first();
  (await large)();
  await small;
  expect(entered).toEqual(["first", "larger than all", "small"]);
});

test("who waits too long comes back later, uncounted, and holds up nobody", async () => {
  const room = new Room(10, 20);
  await room.enter(5, signal);
  const [large, small] = [room.enter(10, signal), room.enter(5, signal)];
  await expect(large).rejects.toThrow(RetryLater);
  (await small)();
});

test("who is aborted waits no more", async () => {
  const room = new Room(10);
  const leave = await room.enter(10, signal);
  const stop = new AbortController();
  const waiting = room.enter(1, stop.signal);
  stop.abort(new Error("cancelled"));
  await expect(waiting).rejects.toThrow("cancelled");
  leave();
  await room.enter(10, signal);
});
