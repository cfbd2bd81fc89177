/** Every way in which a start can fail on the broker, on real servers; and what is said of errors that need others. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../services/ready.ts";
import { hasOwnBroker, type OwnBroker, startOwnBroker } from "../testing/own-broker.ts";
import { openFirstConnection } from "./connection.ts";
import { explain } from "./explain.ts";
import { ask } from "./management.ts";

const configOf = (AMQP_URL: string) => ({
  AMQP_URL,
  AMQP_HEARTBEAT_S: 30,
  BROKER_PROFILE: "auto" as const,
});

const failure = (url: string) =>
  openFirstConnection(configOf(url), "explain").then(
    ({ model }) => model.close().then(() => undefined),
    (error) => error,
  );

const expected = (temporary: boolean, ...words: RegExp[]) => ({
  name: "BrokerFailure",
  part: "broker",
  variable: "AMQP_URL",
  temporary,
  message: expect.toSatisfy((message: string) => words.every((word) => word.test(message))),
});

describe.skipIf(!hasOwnBroker)("a start on a real broker", () => {
  let broker: OwnBroker;
  let silent: Server;
  let dir: string;
  let ports: { amqp: string; tls: number; http: string; silent: number };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "explain-"));
    const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", ...made, ...name], { stdio: "ignore" });
    silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const [tls = 0] = await freePorts(1);
    broker = await startOwnBroker(
      [
        `listeners.ssl.1 = 127.0.0.1:${tls}`,
        `ssl_options.cacertfile = ${cert}`,
        `ssl_options.certfile = ${cert}`,
        `ssl_options.keyfile = ${key}`,
        "ssl_options.verify = verify_none\n",
      ].join("\n"),
    );
    ports = {
      amqp: new URL(broker.amqpUrl).port,
      tls,
      http: new URL(broker.managementUrl).port,
      silent: (silent.address() as { port: number }).port,
    };
  });
  afterAll(async () => {
    silent?.close();
    await broker?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test("says the likely cause and the next command, and no secret", async () => {
    const at = (port: string | number, rest = "/%2Fengine", scheme = "amqp", host = "127.0.0.1") =>
      failure(`${scheme}://guest:hunter2@${host}:${port}${rest}`);
    const asGuest = (rest: string) => failure(`amqp://guest:guest@127.0.0.1:${ports.amqp}${rest}`);
    await ask(broker.managementUrl, "PUT", ["vhosts", "full"], {});
    const all = { configure: ".*", write: ".*", read: ".*" };
    await ask(broker.managementUrl, "PUT", ["permissions", "full", "guest"], all);
    const limit = ["vhost-limits", "full", "max-connections"];
    await ask(broker.managementUrl, "PUT", limit, { value: 0 });
    const failures = await Promise.all([
      at(1),
      at(5672, "/", "amqp", "no-such-host.invalid"),
      at(ports.silent),
      at(ports.amqp),
      asGuest("/wrong"),
      asGuest(""),
      asGuest("/full"),
      at(ports.http),
      at(ports.amqp, "/%2Fengine", "amqps"),
      at(ports.tls),
      at(ports.tls, "/%2Fengine", "amqps", "localhost"),
    ]);
    expect(failures).toMatchObject([
      expected(true, /127\.0\.0\.1:1 .*nothing listens/, /nc -vz 127\.0\.0\.1 1$/),
      expected(true, /a host that nobody knows/, /getent hosts no-such-host\.invalid/),
      expected(true, /answers nothing/, /nc -v /),
      expected(false, /refuses the user 'guest' or its password/, /authenticate_user/),
      expected(false, /refuses the vhost 'wrong'/, /list_vhosts/),
      expected(false, /the vhost '\/'.*ends without one/, /%2Fengine/),
      expected(true, /lets nobody in now: .*limit/),
      expected(false, /an HTTP server/, /5672/),
      expected(false, /speaks no TLS/, /amqp:\/\/ for amqps:\/\//),
      expected(false, /speaks TLS/, /amqps:\/\/ for amqp:\/\//),
      expected(false, /a CA that is not known/, /NODE_EXTRA_CA_CERTS/),
    ]);
    for (const { message } of failures) expect(message).not.toContain("hunter2");
    expect(await asGuest("/%2Fengine")).toBeUndefined();
  });

  test("users, passwords and vhosts may have any letters", async () => {
    const [user, password, vhost] = ["peña", "ñ€/%:@ü", "/español €"];
    await ask(broker.managementUrl, "PUT", ["users", user], { password, tags: "administrator" });
    await ask(broker.managementUrl, "PUT", ["vhosts", vhost], {});
    const all = { configure: ".*", write: ".*", read: ".*" };
    await ask(broker.managementUrl, "PUT", ["permissions", vhost, user], all);
    const [name, secret, path] = [user, password, vhost].map(encodeURIComponent);
    const address = `127.0.0.1:${ports.amqp}`;
    expect(await failure(`amqp://${name}:${secret}@${address}/${path}`)).toBeUndefined();
    // As it is written by hand, where it can be.
    expect(await failure(`amqp://peña:ñ€%2F%:%40ü@${address}/${path}`)).toBeUndefined();
    const management = `http://${name}:${secret}@127.0.0.1:${ports.http}`;
    expect(await ask(management, "GET", ["whoami"])).toMatchObject({ name: user });
  });
});

test.each([
  ["EHOSTUNREACH", /can't be reached/, true],
  ["ETIMEDOUT", /can't be reached/, true],
  ["EAI_AGAIN", /nobody knows/, true],
  ["ERR_TLS_CERT_ALTNAME_INVALID", /for another name.*openssl s_client -connect h:5671/, false],
  ["CERT_HAS_EXPIRED", /has expired/, false],
  ["CERT_NOT_YET_VALID", /can't be used \(CERT_NOT_YET_VALID\)/, false],
  ["CERT_REVOKED", /can't be used \(CERT_REVOKED\)/, false],
  ["HOSTNAME_MISMATCH", /for another name/, false],
  ["EPROTO", /speaks no TLS/, false],
  ["SELF_SIGNED_CERT_IN_CHAIN", /NODE_EXTRA_CA_CERTS/, false],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", /speaks no TLS/, false],
  ["EWHATEVER", /failed: it broke/, true],
])("%s", (code, words, temporary) => {
  const error = Object.assign(new Error("it broke"), { code });
  const explained = explain({ error }, "amqps://u:hunter2@h/v");
  expect(explained).toMatchObject({ temporary, cause: error, variable: "AMQP_URL" });
  expect(explained.message).toMatch(words);
  expect(explained.message).not.toContain("hunter2");
});
