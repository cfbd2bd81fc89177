/** What a server says back to us may hold what we sent it. */
import { expect, test } from "vitest";
import { failure } from "./check.ts";
import { readDoctorConfig } from "./environment.ts";
import { withoutSecrets } from "./secrets.ts";

const config = readDoctorConfig({
  AMQP_URL: "amqp://guest:guest@127.0.0.1/%2Fengine",
  DATABASE_URL: "postgres://engine:caf%C3%A9-hunter@127.0.0.1/enginedb",
  REDIS_URL: "redis://:hunter2-of-redis@127.0.0.1",
  OTEL_EXPORTER_OTLP_HEADERS: "api-key=hunter3%20more,x=hunter4-last",
});

const told = (text: string) => {
  const finding = { ...failure(text, text, text), check: "a.b", looksAt: "", ms: 0 };
  const { found, ...rest } = withoutSecrets(finding, config);
  if (!("cause" in rest)) throw new Error("a failure has a cause");
  expect([rest.cause, rest.next]).toEqual([found, found]);
  return found;
};

test.each([
  ["a password", "AUTH hunter2-of-redis failed", "AUTH *** failed"],
  ["one as it stands in the URL, and decoded", "caf%C3%A9-hunter is café-hunter", "*** is ***"],
  ["headers", "hunter3%20more hunter3 more hunter4-last", "*** *** ***"],
  ["a URL of others", "see amqp://u:hunter5@host/x", "see amqp://***@host/x"],
  ["a name that is its own password is a name", "guest may too much", "guest may too much"],
])("%s", (_, text, expected) => {
  expect(told(text)).toBe(expected);
});
