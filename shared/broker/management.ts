/** The management API of both brokers, for the whole repository: one request, one answer, errors that say which. */
import { once } from "node:events";
import type { IncomingMessage, RequestOptions } from "node:http";
import type { RequestOptions as TlsOptions } from "node:https";
import { text } from "node:stream/consumers";
import { http } from "../process/http.ts";
import { userOf } from "./address.ts";

const TIMEOUT_MS = 10_000;

/** The API did not give an answer that can be used; no message holds a password. */
export class ManagementError extends Error {
  override readonly name = "ManagementError";
  /** Of HTTP; undefined where there was no answer. */
  readonly status: number | undefined;
  /** Where a redirect points; nothing follows it here. */
  readonly location: string | undefined;
  constructor(
    message: string,
    options: ErrorOptions & { status?: number; location?: string | undefined } = {},
  ) {
    super(message, options);
    this.status = options.status;
    this.location = options.location;
  }
}

export interface AskOptions {
  /** Of the whole exchange. Default: 10 s. */
  timeoutMs?: number;
  tls?: Pick<TlsOptions, "ca" | "cert" | "key" | "passphrase" | "rejectUnauthorized">;
}

/**
 * Asks `<managementUrl>/api/<path>`.
 * @param managementUrl as RABBITMQ_MANAGEMENT_URL: with user and password, a prefix of the path if the API has
 *   one, with or without its `/api`.
 * @param path in segments, not encoded: `["queues", "/engine", "engine.activities"]`.
 * @returns the answer's JSON; undefined for one without a body.
 * @throws {ManagementError}
 */
export async function ask(
  managementUrl: string,
  method: "GET" | "PUT" | "POST" | "DELETE",
  path: string[],
  body?: unknown,
  options: AskOptions = {},
): Promise<unknown> {
  const url = new URL(managementUrl);
  const prefix = url.pathname.replace(/\/+$/, "").replace(/\/api$/, "");
  url.pathname = `${prefix}/api/${path.map(encodeURIComponent).join("/")}`;
  url.search = "";
  const answer = await request(method, url, body, options);
  if (answer === "") return undefined;
  try {
    return JSON.parse(answer);
  } catch (error) {
    throw new ManagementError(`${placeOf(url)} answers no JSON`, { cause: error });
  }
}

const placeOf = (url: URL) => `${url.origin}${url.pathname}`;

/**
 * One request with the credentials of its URL; the body of the answer.
 * @throws {ManagementError} for every status but 2xx too.
 */
export async function request(
  method: string,
  url: URL,
  body: unknown,
  { timeoutMs = TIMEOUT_MS, tls = {} }: AskOptions = {},
): Promise<string> {
  const user = userOf(url);
  const isTls = url.protocol === "https:";
  const options: RequestOptions = {
    method,
    // By its parts, for given a URL Node takes its credentials out of it as they are encoded.
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    path: `${url.pathname}${url.search}`,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      ...(user && { authorization: basic(user) }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(isTls && tls),
  };
  try {
    // Not fetch, which alone takes 12 MB of an idle worker's memory.
    const agent = isTls ? process.getBuiltinModule("node:https") : http;
    const asked = agent.request(options);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return okBody(url, response, await text(response));
  } catch (error) {
    if (error instanceof ManagementError) throw error;
    throw new ManagementError(`${placeOf(url)}: ${reasonOf(error, timeoutMs)}`, { cause: error });
  }
}

/** Of both parts as UTF-8 (RFC 7617). */
const basic = ({ username, password }: { username: string; password: string }) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

function okBody(url: URL, answer: IncomingMessage, body: string) {
  const { statusCode = 0, statusMessage, headers } = answer;
  if (statusCode >= 200 && statusCode < 300) return body;
  const location = statusCode >= 300 && statusCode < 400 ? headers.location : undefined;
  const start = body.trim().slice(0, 200);
  throw new ManagementError(
    `${placeOf(url)} answers ${statusCode} ${statusMessage}${start && `: ${start}`}`,
    { status: statusCode, location },
  );
}

function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  return code && !message.includes(code) ? `${code} ${message}` : message || String(error);
}
