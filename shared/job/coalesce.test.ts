/** Natural batching: what goes into which flush, and whom its failure hits. */
import { expect, test } from "vitest";
import { batcher, takeGroup } from "./coalesce.ts";

test("one flush at a time, each with whatever became ready meanwhile", async () => {
  const batches: number[][] = [];
  let running = 0;
  const add = batcher<number, number>(async (items) => {
    expect(++running).toBe(1);
    batches.push(items);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return items.map((item) => item * 2);
  }, 4);
  const first = [1, 2].map(add);
  await new Promise((resolve) => setImmediate(resolve));
  const later = [3, 4, 5, 6, 7].map(add);
  expect(await Promise.all([...first, ...later])).toEqual([2, 4, 6, 8, 10, 12, 14]);
  expect(batches).toEqual([[1, 2], [3, 4, 5, 6], [7]]);
});

test("a failed flush rejects its own items only", async () => {
  const add = batcher<number, number>(async (items) => {
    if (items.includes(1)) throw new Error("one");
    return items;
  }, 1);
  const [one, two] = [add(1), add(2)];
  await expect(one).rejects.toThrow("one");
  expect(await two).toBe(2);
});

test("a group has at most so many, so many bytes, and each key once; the rest keeps its order", () => {
  const limits = {
    max: 3,
    maxBytes: 10,
    keyOf: (item: string) => item.charAt(0),
    bytesOf: (item: string) => item.length,
  };
  const take = (...items: string[]) => takeGroup(items, limits);
  expect(take("a", "b", "c", "d")).toEqual({ group: ["a", "b", "c"], rest: ["d"] });
  expect(take("a1", "a2", "b")).toEqual({ group: ["a1", "b"], rest: ["a2"] });
  expect(take("aaaaa", "bbbbb", "c")).toEqual({ group: ["aaaaa", "bbbbb"], rest: ["c"] });
  expect(take("a".repeat(11), "b")).toEqual({ group: ["a".repeat(11)], rest: ["b"] });
});
