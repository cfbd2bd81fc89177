/** The broker's clock against ours, by the date of an HTTP answer: AMQP has none. */
import { userOf } from "@tl-engine/shared/broker/address";
import { type Check, type Finding, skipped } from "../check.ts";
import { compareClocks } from "../clock.ts";
import type { Management } from "./source.ts";

/** Of a Date header. */
const PRECISION_MS = 1_000;

class NoDate extends Error {
  override readonly name = "NoDate";
}

async function dateOf(managementUrl: string): Promise<number> {
  const url = new URL(managementUrl);
  const user = userOf(url);
  url.username = "";
  url.password = "";
  const basic = `Basic ${Buffer.from(`${user?.username}:${user?.password}`).toString("base64")}`;
  const response = await fetch(url, {
    method: "HEAD",
    headers: user ? { authorization: basic } : {},
  });
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) throw new NoDate("the management API says no date");
  return date;
}

export const clock: Check<Management> = {
  name: "clock",
  looksAt: "its clock against ours",
  async run({ url }, { now }): Promise<Finding> {
    try {
      return await compareClocks(now, () => dateOf(url), PRECISION_MS);
    } catch (error) {
      if (error instanceof NoDate) return skipped(error.message);
      throw error;
    }
  },
};
