/**
 * For every script that prints: who reads its output may stop reading, as `| head` does. What it does goes on to its
 * end, with its own exit status, and the rest is written nowhere; Node would end it in the middle, with a stack.
 */
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
