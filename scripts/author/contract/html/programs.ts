/** The programs that the page's examples begin with: a call from Python and from TypeScript. */
import { HEADERS } from "../../../../shared/wire/headers.ts";

export const PYTHON_CALL = `import json, os, time, uuid
import pika  # any AMQP 0-9-1 client will do

parameters = pika.URLParameters(os.environ["AMQP_URL"])
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.confirm_delivery()  # publishing raises where the broker does not keep the job
replies = channel.queue_declare("", exclusive=True).method.queue
# Only where the workers have REPLY_EXCHANGE=engine.replies:
# channel.queue_bind(replies, exchange="engine.replies", routing_key=replies)

def call(engine, job_type, body, job_id=None, timeout_s=30):
    """Publishes a job and waits for its reply. The same job_id is the same job."""
    job_id = job_id or str(uuid.uuid4())
    channel.basic_publish(
        exchange="engine.jobs",
        routing_key=engine,  # or engine + ".bulk" for what may wait
        mandatory=True,
        body=json.dumps(body),
        properties=pika.BasicProperties(
            message_id=job_id,
            type=job_type,
            content_type="application/json",
            delivery_mode=2,
            reply_to=replies,
            user_id=parameters.credentials.username,
            headers={"${HEADERS.deadline}": int((time.time() + timeout_s) * 1000)},
        ),
    )
    for method, properties, reply in channel.consume(replies, auto_ack=True, inactivity_timeout=timeout_s):
        if method is None:
            raise TimeoutError(job_id)
        if properties.correlation_id == job_id:
            return json.loads(reply)`;

export const TYPESCRIPT_CALL = `import { connect } from "@tl-engine/client";

await using engine = await connect({
  amqpUrl: process.env.AMQP_URL,
  appId: "tl-plane",
});

// const output = await engine.call("<engine>", "<action>", input);
// or publish alone, and have the reply later: await engine.send(…)`;
