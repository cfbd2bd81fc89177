/**
 * Loaded into a worker by `make dev INSPECT=1`: opens the worker's own inspector, at the same port however often it
 * is reloaded. The worker before it still finishes its jobs, so it gives the port up as soon as it is to end.
 */
import inspector from "node:inspector";
import { connect } from "node:net";

const LOOK_AGAIN_MS = 200;
const HOST = "127.0.0.1";
const port = Number(process.env.INSPECTOR_PORT);

let isEnding = false;
process.once("SIGTERM", () => {
  isEnding = true;
  inspector.close();
  // Before the worker listens itself, a signal is to end it as usual.
  if (process.listenerCount("SIGTERM") === 0) process.exit(0);
});

/** Asked first, since Node says aloud that a port is taken. */
function openWhenFree(): void {
  if (isEnding) return;
  const taken = connect(port, HOST);
  taken.once("connect", () => {
    taken.destroy();
    setTimeout(openWhenFree, LOOK_AGAIN_MS).unref();
  });
  taken.once("error", () => {
    if (!isEnding) inspector.open(port, HOST);
  });
}

openWhenFree();
