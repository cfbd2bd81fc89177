-- Plane's own messages do not always say which workspace a change is of.
alter table engine_analytics.changes alter column workspace_id drop not null;
