-- Old results go through this function alone, so that no engine's role needs DELETE, with which it could lock the
-- whole table. It runs as its owner, who sees all rows, and therefore looks itself at who asks.
create function engine.purge_results(of_engine text, retention_days integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  purged bigint;
begin
  -- The owner is whom a development worker logs in as. A SET ROLE changes current_user, never session_user.
  if session_user <> 'engine_' || replace(of_engine, '-', '_')
    and not pg_has_role(session_user, current_user, 'member') then
    raise insufficient_privilege using message = format('%s may not purge results of %s', session_user, of_engine);
  end if;
  delete from engine.results where ctid = any (array(
    select r.ctid from engine.results r
    where r.engine = of_engine
      -- No less than the least RETENTION_DAYS: who took over an engine removes no trace of today.
      and r.finished_at < now() - make_interval(days => greatest(retention_days, 2))
    limit 1000 for update skip locked));
  get diagnostics purged = row_count;
  return purged;
end
$$;
revoke all on function engine.purge_results(text, integer) from public;

-- What succeeded stays as it is, whoever asks: a replay follows only on a failure.
drop policy own_engine on engine.results;
create policy own_engine on engine.results for select
  using (current_user = 'engine_' || replace(engine, '-', '_'));
create policy own_engine_insert on engine.results for insert
  with check (current_user = 'engine_' || replace(engine, '-', '_'));
create policy own_engine_update on engine.results for update
  using (current_user = 'engine_' || replace(engine, '-', '_') and status = 'failed')
  with check (current_user = 'engine_' || replace(engine, '-', '_'));

-- Burials end the jobs of every engine, and only ever as failed.
drop policy burials on engine.results;
create policy burials on engine.results for select using (current_user = 'engine_burials');
create policy burials_insert on engine.results for insert
  with check (current_user = 'engine_burials' and status = 'failed');
create policy burials_update on engine.results for update
  using (current_user = 'engine_burials' and status = 'failed')
  with check (current_user = 'engine_burials' and status = 'failed');
