-- What rules need to work without further calls: the sets that the tracker put, and what is known of each item.
create schema if not exists engine_automations;

create table if not exists engine_automations.rule_sets (
  workspace_id text not null,
  set_id text not null,
  -- The higher counts, in whatever order they come; of two equal ones the greater digest, so that any order ends alike.
  version bigint not null,
  digest text collate "C" not null,
  -- Null is every project of the workspace.
  project_id text,
  -- JSON, as it was put, of the good rules alone; null is a set that was removed. Text, since jsonb refuses what JSON allows.
  rules text,
  primary key (workspace_id, set_id)
);

-- Events of which the workspace is not known.
create index if not exists rule_sets_by_project
  on engine_automations.rule_sets (project_id) where project_id is not null;

create table if not exists engine_automations.items (
  project_id text not null,
  item_id text not null,
  workspace_id text,
  -- JSON: the latest value of each field with its time, so that facts can come twice, late and in any order.
  facts text not null default '{}',
  -- Epoch milliseconds; 0 is not deleted.
  deleted_at_ms bigint not null default 0,
  primary key (project_id, item_id)
);

create index if not exists items_deleted
  on engine_automations.items (deleted_at_ms) where deleted_at_ms > 0;
