/** Ports for the workers' inspectors: free ones, one for each, and only where asked for. */

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { firstPort, inspectorPorts } from "./inspector-ports.ts";

test("INSPECT says whether, and where from", () => {
  for (const off of [undefined, "", "0"]) expect(firstPort(off)).toBeUndefined();
  expect(firstPort("1")).toBe(9229);
  expect(firstPort("9400")).toBe(9400);
  for (const bad of ["yes", "80", "-1", "70000", "9229.5"])
    expect(() => firstPort(bad)).toThrow(`INSPECT=${bad}: say 1`);
});

test("a port that is taken is left out, and a name keeps its own", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const portOf = inspectorPorts(port);
    const [one, other] = await Promise.all([portOf("one"), portOf("other")]);
    expect(one).toBeGreaterThan(port);
    expect(other).toBeGreaterThan(one);
    expect(await portOf("one")).toBe(one);
  } finally {
    server.close();
  }
});
