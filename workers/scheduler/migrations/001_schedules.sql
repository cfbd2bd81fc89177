-- Schedules, the jobs that wait for their time, and what became of each slot. Instants are epoch milliseconds, as the
-- wire has them, and are held against this server's clock alone.
create schema if not exists engine_scheduler;

create table if not exists engine_scheduler.schedules (
  name text primary key,
  -- json, not jsonb, which refuses \u0000.
  spec json not null,
  -- file: of the repository, which alone changes it. job: put by one, whose publisher alone changes it.
  source text not null check (source in ('file', 'job')),
  -- Broker user of who put it; null where its message named none.
  publisher text,
  paused boolean not null default false,
  -- The first slot that was not looked at yet; null when there is none.
  next_ms bigint,
  -- The slot that waits for the previous run to end, and when that is looked at again.
  queued_ms bigint,
  recheck_ms bigint,
  -- The job that was fired last, and for when.
  last_job_id text,
  last_run_ms bigint,
  due_ms bigint generated always as (least(next_ms, recheck_ms)) stored
);
create index if not exists schedules_due on engine_scheduler.schedules (due_ms) where not paused;
create index if not exists schedules_publisher on engine_scheduler.schedules (publisher);

create table if not exists engine_scheduler.pending (
  engine text not null,
  job_id text not null,
  run_at_ms bigint not null,
  -- When it is tried: its time, or later where its queue took it not.
  due_ms bigint not null,
  tries integer not null default 0,
  -- Its publisher took it back: it goes to its engine at once, which ends it as cancelled.
  cancelled boolean not null default false,
  lane text not null check (lane in ('interactive', 'bulk')),
  type text not null,
  generation integer not null,
  attempt integer not null,
  crashes integer not null,
  returns integer not null,
  publisher text,
  -- A slot's: its publisher is the scheduler itself.
  schedule text,
  slot_ms bigint,
  app_id text,
  reply_to text,
  correlation_id text,
  deadline_ms bigint,
  traceparent text,
  -- SHA-256 of the input's canonical JSON, base64url.
  input_hash text not null,
  -- JSON, as it came.
  body text not null,
  body_bytes integer generated always as (octet_length(body)) stored,
  primary key (engine, job_id)
);
create index if not exists pending_due on engine_scheduler.pending (due_ms);
create index if not exists pending_publisher on engine_scheduler.pending (publisher, engine, job_id);

create table if not exists engine_scheduler.slots (
  schedule text not null,
  -- Of several that were missed together the last.
  slot_ms bigint not null,
  -- fired: its job is pending, or went. queued: waits for the run before it. skipped: one went on. missed: nobody was there.
  state text not null check (state in ('fired', 'queued', 'skipped', 'missed')),
  count integer not null default 1,
  -- When that was decided, and when the job was confirmed.
  decided_ms bigint not null,
  fired_ms bigint,
  primary key (schedule, slot_ms)
);
-- Where the purge looks.
create index if not exists slots_decided on engine_scheduler.slots using brin (decided_ms);
