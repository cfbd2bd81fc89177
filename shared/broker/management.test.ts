/** The one client of the management API: how it asks, and what it says where there is no answer. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "./management.ts";

let url: (userinfo: string, path?: string) => string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => answer(request, response));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  url = (userinfo, path = "") => `http://${userinfo}@127.0.0.1:${port}${path}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function asked(managementUrl: string, path: string[]) {
  let seen: IncomingMessage | undefined;
  answer = (request, response) => {
    seen = request;
    response.end('{"ok":true}');
  };
  expect(await ask(managementUrl, "GET", path)).toEqual({ ok: true });
  const { url: target, headers } = seen as IncomingMessage;
  const [, encoded = ""] = String(headers.authorization).split(" ");
  return { target, credentials: Buffer.from(encoded, "base64").toString() };
}

test.each([
  ["", "/api/queues/%2Fengine/a.b"],
  ["/", "/api/queues/%2Fengine/a.b"],
  ["/api/", "/api/queues/%2Fengine/a.b"],
  ["/broker", "/broker/api/queues/%2Fengine/a.b"],
  ["/broker/api", "/broker/api/queues/%2Fengine/a.b"],
])("a base with the path %j", async (path, expected) => {
  const { target } = await asked(url("u:p", path), ["queues", "/engine", "a.b"]);
  expect(target).toBe(expected);
});

test.each([
  ["guest:guest", "guest:guest"],
  ["pe%C3%B1a:%E2%82%AC%2F%40%3A", "peña:€/@:"],
  ["u:100%", "u:100%"],
  ["u:%F1", "u:ñ"],
])("credentials %s are decoded, as UTF-8", async (userinfo, expected) => {
  expect((await asked(url(userinfo), ["whoami"])).credentials).toBe(expected);
});

const failure = (managementUrl: string, timeoutMs = 5_000) =>
  ask(managementUrl, "GET", ["queues", "v", "q"], undefined, { timeoutMs }).then(
    () => new Error("it answered"),
    (error: Error) => error,
  );

test("an error names what was asked, and no password", async () => {
  answer = (_, response) => response.writeHead(404).end('{"reason":"Not Found"}');
  const missing = await failure(url("u:hunter2"));
  expect(missing).toMatchObject({
    name: "ManagementError",
    status: 404,
    message: expect.stringMatching(/\/api\/queues\/v\/q answers 404 Not Found: .*Not Found/),
  });
  answer = () => {};
  const silent = await failure(url("u:hunter2"), 50);
  expect(silent).toMatchObject({ status: undefined, message: expect.stringContaining("50 ms") });
  answer = (_, response) => response.end("<html>");
  const page = await failure(url("u:hunter2"));
  expect(page.message).toContain("no JSON");
  const nobody = await failure("http://u:hunter2@127.0.0.1:1");
  expect(nobody.message).toContain("ECONNREFUSED");
  for (const { message } of [missing, silent, page, nobody])
    expect(message).not.toContain("hunter2");
});
