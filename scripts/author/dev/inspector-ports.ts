/** Gives each worker a port for its inspector, the same one however often it is started. */
import { createServer } from "node:net";

/** Node's own, where debuggers look by themselves. */
const FIRST_PORT = 9229;
const LAST_PORT = 65_535;
const HOST = "127.0.0.1";

/** INSPECT is neither unset, 0 nor 1, nor a port. */
export class BadInspect extends Error {
  override readonly name = "BadInspect";
}

/** The first port of INSPECT; undefined where nothing is to be inspected. @throws {BadInspect} */
export function firstPort(inspect: string | undefined): number | undefined {
  if (inspect === undefined || inspect === "" || inspect === "0") return undefined;
  if (inspect === "1") return FIRST_PORT;
  const port = Number(inspect);
  if (Number.isInteger(port) && port >= 1_024 && port <= LAST_PORT) return port;
  throw new BadInspect(`INSPECT=${inspect}: say 1, or the first port, from 1024 to ${LAST_PORT}`);
}

/** Returns a function that gives the port of a name; two asked at once don't get the same. */
export function inspectorPorts(from: number): (name: string) => Promise<number> {
  const ports = new Map<string, Promise<number>>();
  let last = Promise.resolve(from - 1);
  return (name) => {
    const known = ports.get(name);
    if (known !== undefined) return known;
    last = last.then((port) => nextFree(port + 1));
    ports.set(name, last);
    return last;
  };
}

async function nextFree(from: number): Promise<number> {
  for (let port = from; port <= LAST_PORT; port++) if (await isFree(port)) return port;
  throw new RangeError(`no port from ${from} on is free for an inspector`);
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, HOST, () => server.close(() => resolve(true)));
  return promise;
}
