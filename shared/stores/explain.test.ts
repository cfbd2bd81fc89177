/** Which words a start's failure gets, whether starting again may help, and that no secret is among them. */
import { describe, expect, test } from "vitest";
import { ChannelBindingMissing } from "../wire/channel-binding.ts";
import { explainPostgres } from "./explain-postgres.ts";
import { explainRedis, RedisClosed } from "./explain-redis.ts";

const coded = (code: string, message = code, more = {}) =>
  Object.assign(new Error(message), { code, ...more });

type Row = [string, unknown, RegExp, boolean];

const BOTH: Row[] = [
  ["unknown host", coded("ENOTFOUND"), /unknown host name.*getent hosts db\.example/, true],
  ["name server", coded("EAI_AGAIN"), /name server/, true],
  ["nobody listens", coded("ECONNREFUSED"), /does not answer.*nc -vz db\.example 7/, true],
  ["several addresses", new AggregateError([coded("ECONNREFUSED")]), /does not answer/, true],
  ["reset", coded("ECONNRESET"), /closes the connection.*wants TLS/, true],
  ["private CA", coded("SELF_SIGNED_CERT_IN_CHAIN"), /NODE_EXTRA_CA_CERTS/, false],
  ["another name", coded("ERR_TLS_CERT_ALTNAME_INVALID"), /another name/, false],
  ["expired", coded("CERT_HAS_EXPIRED"), /CERT_HAS_EXPIRED.*renew/, false],
  ["no TLS", coded("ERR_SSL_WRONG_VERSION_NUMBER"), /does not speak TLS/, false],
  ["anything", new Error("boom"), /can't be used now.*boom/, true],
];

const POSTGRES: Row[] = [
  ...BOTH.slice(0, -1),
  ["a bug", new Error("boom"), /can't be used now \(boom\)/, false],
  ["no role", coded("28000", 'role "x" does not exist'), /check the user.*pg_hba/, false],
  [
    "no TLS asked",
    coded("28000", 'no pg_hba.conf entry for host "::1", no encryption'),
    /wants TLS/,
    false,
  ],
  ["too many", coded("53300", "too many connections", { severity: "FATAL" }), /53300/, true],
  ["starting", coded("57P03", "the database system is starting up"), /57P03/, true],
  ["no binding", new ChannelBindingMissing("the URL requires it"), /not trusted/, false],
  [
    "bad signature",
    new Error("SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match"),
    /in between/,
    false,
  ],
  ["Supabase", coded("XX000", "Tenant or user not found"), /refuses the login/, false],
  ["Neon", coded("XX000", "Couldn't connect to compute node"), /XX000/, true],
  [
    "Neon without SNI",
    coded("XX000", "Endpoint ID is not specified."),
    /host name that the provider/,
    false,
  ],
  [
    "an echo of the password",
    coded("XX000", "no such login: app / s3cret!"),
    /app \/ \*\*\*/,
    true,
  ],
];

const REDIS: Row[] = [
  ...BOTH,
  ["closed", new RedisClosed("closed"), /closes the connection.*rediss:/, true],
  ["silent", new Error("Command timed out"), /says nothing/, true],
  ["no login", coded("", "NOAUTH Authentication required."), /refuses the login/, false],
  ["an old server", new Error("ERR invalid password"), /refuses the login/, false],
  [
    "no right",
    new Error("NOPERM User app has no permissions to run the 'eval' command"),
    /make rights/,
    false,
  ],
  [
    "loading",
    new Error("LOADING Redis is loading the dataset in memory"),
    /can't be used now/,
    true,
  ],
  [
    "full disk",
    new Error("MISCONF Redis is configured to save RDB snapshots"),
    /can't be used now/,
    true,
  ],
  [
    "clustered",
    new Error("CROSSSLOT Keys in request don't hash to the same slot"),
    /cluster mode/,
    false,
  ],
];

describe.each([
  ["Postgres", "DATABASE_URL", POSTGRES, explainPostgres, "postgres"],
  ["Redis", "REDIS_URL", REDIS, explainRedis, "redis"],
] as const)("%s", (name, variable, table, explain, part) => {
  test.each(table)("%s", (_name, error, message, temporary) => {
    const url = `${part}://app:s3cret%21@db.example:7/1`;
    const failure = explain(error, url);
    expect(failure).toMatchObject({ part, variable, temporary, cause: error });
    expect(failure.message).toMatch(new RegExp(`^${name} \\(${variable}, db\\.example:7\\) `));
    expect(failure.message).toMatch(message);
    expect(failure.message).not.toMatch(/s3cret/);
    expect(explain(failure, url)).toBe(failure);
  });
});
