/** Peer "raw": consume, confirmed reply, ack, and nothing else; the limit that the broker sets. */
import { connect } from "amqplib";
import { ENGINE_IN_FLIGHT } from "../load.ts";

const [amqpUrl = "", queue = ""] = process.argv.slice(2);
const REPLY = Buffer.from('{"status":"succeeded","output":{"n":1}}');

const connection = await connect(amqpUrl, { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.prefetch(ENGINE_IN_FLIGHT);
await channel.consume(queue, (message) => {
  if (!message) throw new Error("the broker cancelled the consumer");
  const { replyTo, messageId, correlationId } = message.properties;
  channel.publish(
    "",
    replyTo,
    REPLY,
    {
      persistent: true,
      contentType: "application/json",
      type: "noop.run.v1.result",
      messageId,
      correlationId,
    },
    (error) => {
      if (error) throw error;
      channel.ack(message);
    },
  );
});
