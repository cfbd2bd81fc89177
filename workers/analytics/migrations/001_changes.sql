-- The history that flow metrics are computed from: every fact about a work item once, never updated.
create schema if not exists engine_analytics;

create table if not exists engine_analytics.changes (
  project_id text not null,
  -- Deterministic, so that a fact that comes twice, or late, or from two sources at once, is one row.
  change_id text not null,
  workspace_id text not null,
  item_id text not null,
  -- Epoch milliseconds: what the tracker says, not when it arrived.
  at_ms bigint not null,
  -- created, state, points, label, cycle, deleted
  field text not null,
  from_value text,
  to_value text,
  -- Groups of the states when the change was made: renaming, regrouping or deleting a state later changes no history.
  from_group text,
  to_group text,
  -- The value at creation, not a change.
  initial boolean not null default false,
  primary key (project_id, change_id)
);

-- One project's history, item by item, in order.
create index if not exists changes_in_order
  on engine_analytics.changes (project_id, item_id, at_ms, change_id);

-- Which projects have items in a cycle.
create index if not exists changes_by_cycle
  on engine_analytics.changes (to_value, project_id) where field = 'cycle';
