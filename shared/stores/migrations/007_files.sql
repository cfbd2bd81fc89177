-- Whose each object in the bucket is. Written before the upload begins, confirmed in the transaction of the job's
-- result: what is pending for longer than a job can run has no owner.
create table engine.files (
  engine text not null,
  -- Key in the bucket, <prefix>/<engine>/out/<job>/<run>/<name>.
  key text not null,
  job_id text not null,
  -- pending → kept, and from both → removed, whose row goes once the object has gone.
  state text not null default 'pending' check (state in ('pending', 'kept', 'removed')),
  created_at timestamptz not null default now(),
  -- Of what is kept.
  expires_at timestamptz not null,
  primary key (engine, key)
);
create index files_to_remove on engine.files (engine, state, expires_at);

alter table engine.files enable row level security;
create policy own_engine on engine.files
  using (current_user = 'engine_' || replace(engine, '-', '_'))
  with check (current_user = 'engine_' || replace(engine, '-', '_'));

-- As with results: no engine's role needs DELETE, with which it could lock the whole table.
create function engine.forget_files(of_engine text, keys text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten bigint;
begin
  if session_user <> 'engine_' || replace(of_engine, '-', '_')
    and not pg_has_role(session_user, current_user, 'member') then
    raise insufficient_privilege using message = format('%s may not forget files of %s', session_user, of_engine);
  end if;
  delete from engine.files f where f.engine = of_engine and f.key = any (keys) and f.state = 'removed';
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;
revoke all on function engine.forget_files(text, text[]) from public;
