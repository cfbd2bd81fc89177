/** The token of an unsubscribe link: says whose mails are to end, and that we said so. */
import { createHmac, timingSafeEqual } from "node:crypto";

const PURPOSE = "tl-engine unsubscribe v1\n";
/** Ids are bounded long before; whatever is longer is none of ours. */
const MAX_LENGTH = 2_000;

const mac = (secret: string, payload: string) =>
  createHmac("sha256", secret).update(PURPOSE).update(payload).digest();

/** @param secret signs; the token holds no secret of anybody's, and does not end: mails lie around for years. */
export function signToken(receiverId: string, secret: string): string {
  const payload = Buffer.from(receiverId, "utf8").toString("base64url");
  return `${payload}.${mac(secret, payload).toString("base64url")}`;
}

/** @returns whose it is, or undefined where none of the secrets signed it. */
export function readToken(token: string, secrets: readonly string[]): string | undefined {
  if (token.length > MAX_LENGTH) return undefined;
  const [payload, signature, ...rest] = token.split(".");
  if (!payload || !signature || rest.length > 0) return undefined;
  const given = Buffer.from(signature, "base64url");
  const isOurs = secrets.some((secret) => {
    const expected = mac(secret, payload);
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  return isOurs ? Buffer.from(payload, "base64url").toString("utf8") : undefined;
}

/** The page's URL with the token in it. */
export function unsubscribeUrl(page: string, token: string): string {
  const url = new URL(page);
  url.searchParams.set("token", token);
  return url.href;
}
