-- Deadlines: what is promised, the states that items went through, and what was told.
create table if not exists engine_automations.sla_policies (
  project_id text not null,
  policy_id text not null,
  workspace_id text not null,
  -- JSON; null is one that was removed.
  policy text,
  -- Epoch milliseconds; the later counts, of two equal ones the greater text, so that any order ends alike.
  updated_ms bigint not null,
  primary key (project_id, policy_id)
);

create table if not exists engine_automations.sla_items (
  project_id text not null,
  item_id text not null,
  workspace_id text not null,
  -- The earliest that is known.
  created_ms bigint not null,
  priority text not null default 'none',
  priority_ms bigint not null default 0,
  -- 0 is not deleted.
  deleted_ms bigint not null default 0,
  primary key (project_id, item_id)
);

create table if not exists engine_automations.sla_changes (
  project_id text not null,
  item_id text not null,
  at_ms bigint not null,
  state text not null,
  workspace_id text not null,
  primary key (project_id, item_id, at_ms, state)
);

-- Each deadline and warning is told once.
create table if not exists engine_automations.sla_told (
  project_id text not null,
  item_id text not null,
  policy_id text not null,
  -- breached, or due:<seconds before>
  what text not null,
  workspace_id text not null,
  told_at timestamptz not null default now(),
  primary key (project_id, item_id, policy_id, what)
);
