/** Reads a broker's URL as its specification has it: what is percent-encoded in it is UTF-8. */
import { isIPv6 } from "node:net";
import type { Options } from "amqplib";

const ENCODED = /(?:%[0-9a-f]{2})+/gi;

/** A user or a password out of a URL. What is no UTF-8 is taken for Latin-1, and a lone % for itself. */
const decodeUserinfo = (encoded: string) =>
  encoded.replaceAll(ENCODED, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes.replaceAll(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    }
  });

/** Decoded, such as `/engine`; `/` where the URL names none. */
export const vhostOf = (amqpUrl: string) =>
  decodeUserinfo(new URL(amqpUrl).pathname.slice(1)) || "/";

/** User and password of any URL, decoded; undefined where it has neither. */
export function userOf({
  username,
  password,
}: URL): { username: string; password: string } | undefined {
  if (username === "" && password === "") return undefined;
  return { username: decodeUserinfo(username), password: decodeUserinfo(password) };
}

/** Who a connection by this URL is, as the broker checks a message's user_id. */
export const brokerUserOf = (amqpUrl: string) => userOf(new URL(amqpUrl))?.username ?? "guest";

/** As amqplib takes it. Given a URL as text it decodes user and password as Latin-1, and RabbitMQ then knows neither. */
export function connectOptions(amqpUrl: string, heartbeatS?: number): Options.Connect {
  const url = new URL(amqpUrl);
  const given = (name: string) => {
    const value = url.searchParams.get(name);
    return value === null ? {} : { [name]: Number(value) };
  };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    protocol: url.protocol.slice(0, -1),
    hostname: isIPv6(host) ? host : url.hostname,
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...userOf(url),
    // amqplib decodes this one itself, and a % that is left in it would be decoded twice.
    vhost: encodeURIComponent(vhostOf(amqpUrl)),
    ...given("frameMax"),
    ...given("channelMax"),
    ...given("heartbeat"),
    // Asked for by name: LavinMQ proposes 300 s.
    ...(heartbeatS !== undefined && { heartbeat: heartbeatS }),
  };
}
