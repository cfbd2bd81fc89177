"""Peer "celery": what tl-plane runs today, with late acks, the same INSERT and a confirmed, persistent reply."""
import json
import os
from datetime import datetime, timezone

import psycopg2
from celery import Celery
from celery.signals import worker_process_init
from kombu import Queue
from kombu.transport.pyamqp import Transport

# Celery 5.2 asks RabbitMQ for a channel-wide prefetch, which quorum queues refuse; per consumer is the same here.
Transport.qos_semantics_matches_spec = lambda self, connection: True

QUEUE = os.environ["BENCH_QUEUE"]
INSERT = """INSERT INTO engine.results
  (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, worker, started_at, finished_at)
  VALUES ('bench-celery', %s, 0, 'succeeded', NULL, 1, 'noop.run.v1', %s, %s, NULL, 'celery-1', %s, now())"""
INPUT_HASH = "0" * 43

app = Celery("bench", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.update(
    # The rpc backend publishes the result to the message's reply_to; confirmed like every reply of this benchmark.
    broker_transport_options={"confirm_publish": True},
    result_persistent=True,
    task_acks_late=True,
    worker_prefetch_multiplier=50,  # × 2 processes = 100 in flight, as everywhere here
    task_queues=[Queue(QUEUE, routing_key=QUEUE, queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue=QUEUE,
    worker_send_task_events=False,
)

database = None


@worker_process_init.connect
def connect_database(**_):
    global database
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    database.autocommit = True


@app.task(name="bench.noop", bind=True)
def noop(self, job):
    started_at = datetime.now(timezone.utc)
    output = {"n": job["n"]}
    reply = json.dumps({"status": "succeeded", "output": output})
    with database.cursor() as cursor:
        cursor.execute(INSERT, (self.request.id, INPUT_HASH, reply, started_at))
    return output
