/** Whose job it is: as the broker checked it, or as one of our own users, whom the broker checked, passed it on. */
import type { ConsumeMessage, MessageProperties } from "../broker/consume.ts";
import { HEADERS } from "../wire/headers.ts";
import { engineUser, NAME, NOBODY, PUBLISHER, SLOT_ID } from "../wire/names.ts";
import type { Envelope } from "./envelope.ts";
import { type Fault, invalid } from "./problem.ts";
import type { Reception } from "./reception.ts";

/** Whose word this worker takes for what only the runtime says. */
export interface Identity {
  prefix: string;
  /** Broker users of this worker, of burials and the scheduler, which bring jobs back, and of the tools. */
  runtimeUsers: ReadonlySet<string>;
  /** PUBLISHER_REQUIRED. */
  isRequired: boolean;
}

/** What only the runtime sets: runs, crashes and replays of a job, and whose it is. */
export const RUNTIME_HEADERS = [
  HEADERS.attempt,
  HEADERS.crashes,
  HEADERS.returns,
  HEADERS.rescues,
  HEADERS.replay,
  HEADERS.held,
  HEADERS.cancelled,
  HEADERS.publisher,
];

const NO_USER =
  "the message has no user_id, which this fleet requires (PUBLISHER_REQUIRED): set user_id to your broker user's name";
const SLOTS_ID =
  "message_id is that of a schedule's slot, <engine>.<name>:<instant>, which the scheduler alone gives: take another";
const BAD_NAME =
  "user_id must be 1 to 63 characters of A-Z a-z 0-9 . _ - and start with a letter or digit: publish as a user with such a name";

/** The value of x-publisher on what carries a job on. Without one, whoever sent it would be the publisher. */
export const publisherHeader = (publisher: string | undefined) => publisher ?? NOBODY;

/**
 * The headers of a message as its table has them. amqplib makes a table named `__proto__` the prototype, whose
 * headers would be read and never be seen in a list.
 */
export function ownHeaders(
  headers: Record<string, unknown> | undefined,
  faults: Fault[],
): Record<string, unknown> {
  if (headers === undefined) return {};
  if (Object.getPrototypeOf(headers) === Object.prototype) return headers;
  invalid(faults, "headers", 'the header "__proto__" is not allowed');
  return Object.assign(Object.create(null), headers);
}

/**
 * Reads whose job it is. A job that says more than its sender may is refused, and is taken for a first delivery;
 * one whose publisher can't be named has no row, or it could take the id of another's.
 * @returns the headers to go by: without the runtime's own where its sender is not the runtime.
 */
export function readPublisher(
  envelope: Envelope,
  { userId }: MessageProperties,
  headers: Record<string, unknown>,
  identity: Identity,
  faults: Fault[],
): Record<string, unknown> {
  const user = typeof userId === "string" && userId !== "" ? userId : undefined;
  const isOurs = user !== undefined && isRuntime(user, envelope.engine, identity);
  const passedOn = isOurs && typeof headers[HEADERS.publisher] === "string";
  const name = passedOn ? String(headers[HEADERS.publisher]) : user;
  if (name === undefined) {
    if (identity.isRequired) disown(envelope, "user_id", NO_USER, faults);
  } else if (PUBLISHER.test(name)) envelope.publisher = name;
  else if (!passedOn || name !== NOBODY) disown(envelope, "user_id", BAD_NAME, faults);
  if (isOurs) return headers;
  // Whoever took it first would keep the slot from running.
  if (SLOT_ID.exec(envelope.id ?? "")?.[1] === envelope.engine)
    disown(envelope, "message_id", SLOTS_ID, faults);
  return withoutForged(headers, faults);
}

/**
 * Looks that a message came the way of its kind, which the broker's rights are about. Publishers send jobs, and no
 * event. Engines announce events under keys that are theirs, where a broker that looks at the key alone would let a
 * BCC lead elsewhere; and they write to the tiers, which lead into the queue of any engine, to bring back their own
 * jobs, which pass here as the runtime's.
 */
export function checkWay(
  envelope: Envelope,
  { fields, properties: { userId } }: ConsumeMessage,
  isEvent: boolean,
  { names, identity }: Pick<Reception, "names" | "identity">,
  faults: Fault[],
): void {
  const user = typeof userId === "string" ? userId : "";
  if (isRuntime(user, envelope.engine, identity)) return;
  if (isEvent) {
    if (fields.exchange !== names.events || fields.routingKey !== envelope.type)
      disown(envelope, "type", `events come through ${names.events}, each by its type`, faults);
    return;
  }
  const [prefix, engine] = splitAt(user, identity.prefix.length + 1);
  if (prefix === engineUser(identity.prefix, "") && NAME.test(engine))
    disown(
      envelope,
      "user_id",
      `${user} is another engine's user: jobs come from publishers`,
      faults,
    );
}

const splitAt = (text: string, at: number) => [text.slice(0, at), text.slice(at)] as const;

const isRuntime = (user: string, engine: string, { prefix, runtimeUsers }: Identity): boolean =>
  runtimeUsers.has(user) || user === engineUser(prefix, engine);

/** Without an id it has no row, and takes nobody's id. */
function disown(envelope: Envelope, path: string, message: string, faults: Fault[]): void {
  envelope.id = undefined;
  invalid(faults, path, message);
}

function withoutForged(headers: Record<string, unknown>, faults: Fault[]): Record<string, unknown> {
  const forged = RUNTIME_HEADERS.filter((name) => Object.hasOwn(headers, name));
  if (forged.length === 0) return headers;
  const left = { ...headers };
  for (const name of forged) {
    delete left[name];
    const message = `${name} is set by the runtime alone: leave it out (a replay comes from the user of TOOLS_USER)`;
    invalid(faults, `headers.${name}`, message);
  }
  return left;
}
