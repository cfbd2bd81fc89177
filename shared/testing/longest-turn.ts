/** Measures the longest that the event loop was kept, in CPU time, which other programs of the machine don't lengthen. */

/** Returns the function that ends it and says the milliseconds. */
export function watchTurns(): () => number {
  let longestUs = 0;
  let isOver = false;
  let before = process.threadCpuUsage();
  const look = () => {
    const { user, system } = process.threadCpuUsage(before);
    longestUs = Math.max(longestUs, user + system);
    before = process.threadCpuUsage();
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  return () => {
    isOver = true;
    look();
    return longestUs / 1_000;
  };
}
