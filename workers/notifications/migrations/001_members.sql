-- Who there is, who follows what, and how each wants to be told. Everything says when it became so, in epoch
-- milliseconds: of two that come in any order the later counts.
create schema if not exists engine_notifications;

create table if not exists engine_notifications.members (
  id text primary key,
  -- Who put it last.
  workspace_id text not null,
  name text,
  address text,
  locale text,
  time_zone text,
  active boolean not null default true,
  put_ms bigint not null default 0,
  -- Preferences, from here on.
  window_minutes integer,
  -- Minutes of the local day, 0 to 1,439.
  quiet_from integer,
  quiet_to integer,
  level text,
  switches jsonb,
  preferences_ms bigint not null default 0
);

create table if not exists engine_notifications.memberships (
  project_id text not null,
  member_id text not null,
  workspace_id text not null,
  is_on boolean not null,
  at_ms bigint not null,
  primary key (project_id, member_id)
);

create table if not exists engine_notifications.items (
  issue_id text primary key,
  workspace_id text not null,
  key text,
  created_by text,
  put_ms bigint not null default 0,
  -- As its creation told it, where nobody put it.
  creator text,
  name text,
  name_ms bigint not null default 0,
  -- Followers from before were put anew, all of them: older ones don't count.
  subscribers_ms bigint not null default 0,
  assignees_ms bigint not null default 0
);

create table if not exists engine_notifications.followers (
  issue_id text not null,
  -- subscriber, assignee
  role text not null,
  member_id text not null,
  workspace_id text not null,
  is_on boolean not null,
  at_ms bigint not null,
  primary key (issue_id, role, member_id)
);
