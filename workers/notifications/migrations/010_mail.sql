-- Mail: what waits for the end of a window, and the mails that came of it.
create schema if not exists engine_notifications;

-- A window of a receiver, named by its end. It is closed before it is read, and nothing enters a closed one: so a mail
-- holds all that is in its window, and what comes too late is in the next.
create table if not exists engine_notifications.mail_windows (
  receiver_id text not null,
  -- Epoch milliseconds.
  due_ms bigint not null,
  -- Of its first entry.
  workspace_id text not null,
  closed_at timestamptz,
  primary key (receiver_id, due_ms)
);
-- Those whose timer has not run.
create index if not exists mail_windows_open
  on engine_notifications.mail_windows (receiver_id, due_ms) where closed_at is null;

create table if not exists engine_notifications.mail_entries (
  receiver_id text not null,
  -- A notification that comes twice is one row.
  activity_id text not null,
  due_ms bigint not null,
  workspace_id text not null,
  at_ms bigint not null,
  -- As it will be shown.
  entry jsonb not null,
  primary key (receiver_id, activity_id)
);
create index if not exists mail_entries_by_window
  on engine_notifications.mail_entries (receiver_id, due_ms);

create table if not exists engine_notifications.mails (
  receiver_id text not null,
  due_ms bigint not null,
  workspace_id text not null,
  -- frozen: to be sent. sent, bounced, refused, given_up, skipped: ended.
  state text not null,
  -- Why, where it was not sent: the server's words, or ours.
  reason text,
  address text,
  message_id text,
  -- The bytes, from before the first attempt until the end: every attempt sends the same.
  message bytea,
  frozen_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (receiver_id, due_ms)
);
create index if not exists mails_by_end on engine_notifications.mails (ended_at);

-- Who gets no mail any more: `receiver` who unsubscribed, `address` that bounced or complained.
create table if not exists engine_notifications.mail_stops (
  kind text not null,
  -- The receiver's id, or the address in lower case.
  value text not null,
  -- unsubscribed, hard, complaint, soft
  reason text not null,
  -- Soft bounces since the last stop; it stops with the third.
  bounces integer not null default 0,
  is_stopped boolean not null,
  at timestamptz not null default now(),
  primary key (kind, value)
);
