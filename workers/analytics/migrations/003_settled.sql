-- Items that ended before the retention's horizon: one row each in place of their changes, with the dates that lead
-- times, throughput and totals are computed from.
create table if not exists engine_analytics.settled (
  project_id text not null,
  item_id text not null,
  workspace_id text,
  -- Facts dated up to here are in this row: one that comes again is passed over by who reads, and deleted by the purge.
  until_ms bigint not null,
  created_ms bigint not null,
  -- First time in a started state.
  started_ms bigint,
  -- Of the time from started_ms to ended_ms, that in which it was over (completed or cancelled).
  over_ms bigint not null,
  -- Since when it was in state_group without a break.
  ended_ms bigint not null,
  deleted_ms bigint,
  state_id text,
  state_group text not null,
  points text,
  -- All that it ever had, and those of them that it left before its end; null is none.
  labels text[],
  left_labels text[],
  cycles text[],
  left_cycles text[],
  -- What its replay had to doubt.
  warnings text[],
  primary key (project_id, item_id)
);

-- Which projects have settled items of a cycle.
create index if not exists settled_by_cycle on engine_analytics.settled using gin (cycles);

-- Where the purge looks for what ended: one fact in several, in order of its age.
create index if not exists changes_that_end on engine_analytics.changes (at_ms, change_id)
  where to_group in ('completed', 'cancelled') or field = 'deleted';
