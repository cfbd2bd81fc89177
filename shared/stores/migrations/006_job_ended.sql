-- Whether a job has ended, for the scheduler, which starts no run beside one that still runs. It sees no row.
create function engine.job_ended(of_engine text, id text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from engine.results r where r.engine = of_engine and r.job_id = id)
$$;
revoke all on function engine.job_ended(text, text) from public;
