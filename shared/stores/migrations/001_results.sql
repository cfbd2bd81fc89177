-- The one row that says how a job ended. Its primary key is the fence: the first committer wins.
create table engine.results (
  engine text not null,
  job_id text not null,
  -- 0 as published; raised by each replay of a dead letter.
  generation integer not null default 0,
  status text not null check (status in ('succeeded', 'failed')),
  -- Error code of a failed job.
  code text,
  -- Counted runs of the handler.
  attempt integer not null,
  -- AMQP message type, <engine>.<action>.v<N>, or the type of the event that ran it.
  type text not null,
  -- SHA-256 of the input's canonical JSON, base64url.
  input_hash text not null,
  -- The reply's body to the byte. json, not jsonb, which refuses \u0000 and collapses keys.
  reply json not null,
  -- [{id, type, body}] of the events that this result announced.
  events json,
  worker text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  primary key (engine, job_id)
);

-- Rows are appended in this order, so a block range index serves the purge at nearly no cost.
create index results_finished_at on engine.results using brin (finished_at);

-- A role engine_<name> sees only its own engine's rows; the owner sees all.
alter table engine.results enable row level security;
create policy own_engine on engine.results
  using (current_user = 'engine_' || replace(engine, '-', '_'))
  with check (current_user = 'engine_' || replace(engine, '-', '_'));
-- The internal worker that buries what the broker dropped writes for every engine.
create policy burials on engine.results
  using (current_user = 'engine_burials') with check (current_user = 'engine_burials');
