/** What is sent again, until when, and what is not. */
import { expect, test } from "vitest";
import { BrokerUnavailable } from "../../../shared/client/index.ts";
import { sendAgain } from "./send-again.ts";

const away = () => Promise.reject(new BrokerUnavailable("broker_unreachable", false));
const never = new AbortController().signal;

test("what an absent broker did not take is sent again until it does", async () => {
  let sends = 0;
  expect(await sendAgain(() => (++sends < 3 ? away() : Promise.resolve("taken")), never)).toBe(
    "taken",
  );
  expect(sends).toBe(3);
});

test("another error is thrown at once, an absence that lasts at last, an abort as its reason", async () => {
  let sends = 0;
  const refused = () => {
    sends++;
    return Promise.reject(new RangeError("no"));
  };
  await expect(sendAgain(refused, never)).rejects.toThrow("no");
  expect(sends).toBe(1);
  await expect(sendAgain(away, never, 0)).rejects.toMatchObject({ code: "broker_unreachable" });
  const stopping = new AbortController();
  const sent = sendAgain(away, stopping.signal);
  stopping.abort(new Error("stop"));
  await expect(sent).rejects.toThrow();
});
