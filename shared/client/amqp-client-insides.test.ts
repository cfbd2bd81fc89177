/** The library is the one that the client was written against, and another one is named at once. */
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { VERSION } from "@cloudamqp/amqp-client/amqp-base-client";
import { expect, test, vi } from "vitest";
import { checkInsides, HardenedClient, MADE_FOR } from "./amqp-client-insides.ts";
import { FrameReader, NotAmqp } from "./frames.ts";

const manifest = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const NAME = "@cloudamqp/amqp-client";

test("the manifest pins the version exactly, and it is the installed one", () => {
  expect(manifest.dependencies[NAME]).toBe(MADE_FOR);
  expect(VERSION).toBe(MADE_FOR);
});

test("a library without what is reached inside of it is refused with its version", () => {
  expect(() => new HardenedClient("amqp://127.0.0.1")).not.toThrow();
  const other = { onRead() {}, parseFrames() {}, send() {}, bufferPool: 1 };
  expect(() => checkInsides(other, "5.0.0")).toThrow(
    "@cloudamqp/amqp-client 5.0.0 has no connectSocket, bufferPool: install 4.1.1, which @tl-engine/client is made for",
  );
});

test("a small write never waits for the answer to the one before it", async () => {
  const setNoDelay = vi.spyOn(Socket.prototype, "setNoDelay");
  const client = new HardenedClient(process.env.AMQP_URL ?? "");
  await client.connect();
  expect(setNoDelay.mock.contexts).toContain(client.socket);
  expect(setNoDelay).toHaveBeenCalledWith(true);
  await client.close();
  setNoDelay.mockRestore();
});

const frame = (bytes: number) => {
  const whole = Buffer.alloc(bytes + 8, "x");
  whole.writeUInt8(1, 0);
  whole.writeUInt32BE(bytes, 3);
  whole[bytes + 7] = 0xce;
  return whole;
};

test("frames of any size come whole out of segments of any size", () => {
  const frames = [0, 1, 8_192, 100_000, 3].map(frame);
  const stream = Buffer.concat(frames);
  for (const segmentBytes of [1, 6, 7, 8, 1_460, 65_536, stream.length]) {
    const reader = new FrameReader();
    const seen: Buffer[] = [];
    for (let at = 0; at < stream.length; at += segmentBytes)
      reader.take(stream.subarray(at, at + segmentBytes), (frame) => seen.push(frame));
    expect(seen.map((frame) => frame.length)).toEqual(frames.map((frame) => frame.length));
    expect(Buffer.concat(seen).equals(stream)).toBe(true);
  }
});

test.each([
  ["HTTP/1.1 400 Bad Request", "the port answers in HTTP"],
  ["AMQP\0\x01\0\0", "the port wants another version of AMQP"],
  ["\x15\x03\x03\0\x02\x02\x46", "the port wants TLS: amqps://"],
  ["-ERR unknown command", "the port does not answer in AMQP"],
  ["\x01\0\0\xff\xff\xff\xff\0", "a frame of 4294967303 bytes"],
])("%j is no broker", (greeting, message) => {
  const take = () => new FrameReader().take(Buffer.from(greeting, "latin1"), () => {});
  expect(take).toThrow(new NotAmqp(message));
});
