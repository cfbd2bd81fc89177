/** What `connect` is given, with defaults, checked. */

import { type BrokerNames, brokerNames, PREFIX, PUBLISHER } from "../wire/names.ts";
import type { Contract } from "./contract-of.ts";
import { InvalidArgument } from "./errors.ts";
import type { S3Options } from "./files.ts";
import type { Report } from "./link.ts";
import { checkReplyQueue } from "./replies.ts";

/** Below the 5 s after which a caller must know that the broker is away. */
const PUBLISH_TIMEOUT_MS = 4_500;
const MAX_IN_FLIGHT = 1_000;
const APP_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;

export interface ConnectOptions {
  /** `amqp://user:password@host:port/vhost`; a slash in the vhost's name is written `%2F`. */
  amqpUrl: string;
  /** Postgres with the results; needed by `result`, and by `status` for jobs that ended. */
  databaseUrl?: string | undefined;
  /** Redis with the claims; needed by `cancel`, and by `status` for progress. */
  redisUrl?: string | undefined;
  /** The bucket of the engines' files; needed by `files`, with a key that may write their inputs and read their outputs. */
  s3?: S3Options | undefined;
  /** First part of all broker and Redis names: the workers' `ENGINE_PREFIX`. Default `engine`. */
  prefix?: string | undefined;
  /** Sent with each job as `app_id`; names the reply queue of calls, `<appId>.replies.<uuid>`. Default `client`. */
  appId?: string | undefined;
  /**
   * Whether jobs carry the broker user of `amqpUrl` as `user_id`, which the broker checks: the publisher,
   * whose jobs, results and claims are then its own. `false` where the broker knows the connection under
   * another name than the URL's (OAuth, certificates); such jobs are nobody's. Default true.
   */
  publisher?: boolean | undefined;
  /**
   * A durable queue named `*.replies` or `*.replies.*`, declared if it is not there: where the replies
   * to `send` go, and what `onReply` reads.
   */
  replyQueue?: string | undefined;
  /**
   * The workers' `REPLY_EXCHANGE`, such as `engine.replies`, to which the client's reply queues are bound. Default:
   * none, replies come through the default exchange.
   */
  replyExchange?: string | undefined;
  /** Publishes that await their confirm at once; the rest waits for its turn. Default 1,000. */
  maxInFlight?: number | undefined;
  /** How long a publish may go unconfirmed before it rejects as BrokerUnavailable. Default 4,500 ms. */
  publishTimeoutMs?: number | undefined;
  /**
   * Told what no await tells, once for each time it begins: `connection_lost`, `consumer_lost`,
   * `consumer_failed`, `publish_refused`, `publish_channel_failed`, `confirms_overdue`, `handlers_stuck`;
   * and each time: `handler_failed`, `unreadable_message`, `unreadable_headers`, `cancel_failed`,
   * `database`, `redis`. What it throws is dropped. Default: nobody.
   */
  onTrouble?: Report | undefined;
}

export interface Settings {
  amqpUrl: string;
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  s3: S3Options | undefined;
  names: BrokerNames;
  appId: string;
  replyQueue: string | undefined;
  replyExchange: string | undefined;
  /** Undefined where jobs carry no user_id. */
  publisher: string | undefined;
  maxInFlight: number;
  publishTimeoutMs: number;
  report: Report;
  contract: Contract;
}

/** Throws {@link InvalidArgument} with what is wrong; never prints a URL, which may hold a password. */
export function readOptions(options: ConnectOptions, contract: Contract): Settings {
  const { prefix = "engine", appId = "client", replyQueue, replyExchange } = options;
  const { maxInFlight = MAX_IN_FLIGHT, publishTimeoutMs = PUBLISH_TIMEOUT_MS } = options;
  const refuse = (what: string): never => {
    throw new InvalidArgument("invalid_option", `connect: ${what}`);
  };
  if (!["amqp:", "amqps:"].includes(protocolOf(options.amqpUrl)))
    refuse("amqpUrl must be an amqp:// or amqps:// URL");
  if (!isDecodable(options.amqpUrl))
    refuse("a % in amqpUrl's user, password or vhost must be written %25");
  if (options.databaseUrl && !/^postgres(ql)?:$/.test(protocolOf(options.databaseUrl)))
    refuse("databaseUrl must be a postgres:// URL");
  if (options.redisUrl && !/^rediss?:$/.test(protocolOf(options.redisUrl)))
    refuse("redisUrl must be a redis:// or rediss:// URL");
  if (options.s3 && !/^https?:$/.test(protocolOf(options.s3.endpoint)))
    refuse("s3.endpoint must be an https:// URL, without the bucket");
  if (!PREFIX.test(prefix))
    refuse(`prefix must match ${PREFIX}, as the workers' ENGINE_PREFIX does`);
  if (!APP_ID.test(appId)) refuse(`appId must match ${APP_ID}`);
  if (appId === prefix || appId.startsWith(`${prefix}.`))
    refuse(`appId must not begin with the prefix ${prefix}: workers refuse such reply queues`);
  if (replyQueue !== undefined) checkReplyQueue(replyQueue, prefix);
  if (Buffer.byteLength(replyExchange ?? "") > 127) refuse("replyExchange has at most 127 bytes");
  if (!Number.isInteger(maxInFlight) || maxInFlight < 1) refuse("maxInFlight must be 1 or more");
  if (!(publishTimeoutMs >= 100 && publishTimeoutMs <= 600_000))
    refuse("publishTimeoutMs must be from 100 to 600,000");
  return {
    amqpUrl: options.amqpUrl,
    databaseUrl: options.databaseUrl || undefined,
    redisUrl: options.redisUrl || undefined,
    s3: options.s3,
    names: brokerNames(prefix),
    appId,
    replyQueue,
    replyExchange: replyExchange || undefined,
    publisher: options.publisher === false ? undefined : publisherOf(options.amqpUrl),
    maxInFlight,
    publishTimeoutMs,
    report: guarded(options.onTrouble),
    contract,
  };
}

/** The user that the broker will know. */
function publisherOf(amqpUrl: string): string {
  const user = decodeURIComponent(new URL(amqpUrl).username) || "guest";
  if (PUBLISHER.test(user)) return user;
  throw new InvalidArgument(
    "invalid_option",
    `connect: the user of amqpUrl is no publisher's name, which must match ${PUBLISHER}; with publisher: false its jobs are nobody's`,
  );
}

/** Reports come from where nobody could catch what the caller's function throws, now or later. */
function guarded(onTrouble: ConnectOptions["onTrouble"]): Report {
  return (event, error) => {
    try {
      Promise.resolve(onTrouble?.(event, error) as unknown).catch(() => {});
    } catch {
      // Its owner's trouble; there is nobody else to tell.
    }
  };
}

/** As the AMQP library will decode them. */
function isDecodable(url: string): boolean {
  const { username, password, pathname } = new URL(url);
  try {
    return decodeURIComponent(username + password + pathname) !== undefined;
  } catch {
    return false;
  }
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
