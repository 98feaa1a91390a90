-- Where pg_cron is available, the database keeps itself: it drains the queue of changes every 30 seconds and makes room
-- ahead once a day. Where it is not, or may not be used, the scheduled jobs outside do the same, and nothing is lost:
-- both may run at once.
do $$
begin
  if not exists (select from pg_available_extensions where name = 'pg_cron') then
    return;
  end if;
  execute 'create extension if not exists pg_cron';
  perform cron.schedule('market-data-drain', '30 seconds', 'select public.drain_dirty_v1()');
  perform cron.schedule('market-data-partitions', '7 3 * * *', 'select internal.premake_partitions()');
exception
  when others then
    raise warning 'pg_cron cannot be used here (%): the scheduled jobs outside do its work', sqlerrm;
end
$$;
