-- The program that published the job, as it names itself (AMQP's app_id); null where it did not.
alter table engine.results add column app_id text;

-- Who had a right to the column beside it has the same to this one, so that workers go on without new rights.
do $$
declare
  may record;
begin
  for may in
    select distinct grantee, privilege_type from information_schema.column_privileges
    where table_schema = 'engine' and table_name = 'results'
      and (column_name, privilege_type) in (('publisher', 'SELECT'), ('publisher', 'INSERT'), ('type', 'UPDATE'))
      and grantee <> 'PUBLIC' and grantee <> current_user
  loop
    execute format('grant %s (app_id) on engine.results to %I', may.privilege_type, may.grantee);
  end loop;
end
$$;
