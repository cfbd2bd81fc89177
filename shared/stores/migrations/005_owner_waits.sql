-- How long the owner waits for a lock, where nothing else is said: a worker in development, a tool, a person. Each
-- waiting statement makes all that come after it wait as well. The lock_timeout that a statement of ours sets itself
-- comes too late for a lock on the whole table, and the roles of the engines have one of their own (make rights).
do $$
begin
  execute format('alter role %I in database %I set lock_timeout = %L', current_user, current_database(), '2s');
end
$$;
