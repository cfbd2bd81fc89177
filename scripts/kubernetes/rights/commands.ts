/** The commands that make an engine's users, none with a password that a log or a list of processes would show. */
import { DATABASE_STATEMENTS } from "./postgres.ts";
import type { BrokerRights, Rights } from "./statements.ts";

export const brokerCommands = ({ user, configure, write, read, topics }: BrokerRights): string =>
  `# RabbitMQ. The vhost is /engine unless AMQP_URL says otherwise. add_user reads the password from its input, and asks
# for it at a terminal: no argument shows it. lavinmqctl takes it as an argument alone: in LavinMQ make the user on the
# management page instead, and only the rights with lavinmqctl.
rabbitmqctl add_user ${user}
rabbitmqctl set_permissions -p /engine ${user} '${configure}' '${write}' '${read}'${topicCommands(user, topics)}`;

const topicCommands = (user: string, topics: BrokerRights["topics"]): string =>
  topics
    .map(
      ({ exchange, write, read }) => `
# Of its topics the keys that are its own: of the events that it declares, or of its replies. LavinMQ has no such
# right, so leave the line out there.
rabbitmqctl set_topic_permissions -p /engine ${user} ${exchange} '${write}' '${read}'`,
    )
    .join("");

export const postgresCommands = (role: string, statements: string[]): string =>
  `-- Postgres, with psql as the owner of enginedb on the direct server, after make migrate. First, once per database:
-- what everybody may do. A warning says what only the server's administrator can take away.
${DATABASE_STATEMENTS.join("\n")}
-- psql asks for the password and sends its SCRAM verifier: no statement, and so no log, has the text.
create role ${role} login;
\\password ${role}
${statements.join("\n")}`;

export const redisCommands = ({ user, rules }: Rights["redis"]): string =>
  `# Redis, in a shell; REDISCLI_AUTH has the administrator's password. The shell itself reads the engine's and hands on
# its SHA-256, which Redis compares with. It has no salt: take a long random password.
read -rs PASSWORD
redis-cli ACL SETUSER ${user} ${rules.map((rule) => `'${rule}'`).join(" ")} "#$(printf %s "$PASSWORD" | sha256sum | cut -d ' ' -f 1)"
unset PASSWORD`;
