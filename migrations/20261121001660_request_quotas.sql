-- How much of its quota each caller of the API has used: all instances count here. Unlogged: a crash that forgets a
-- minute's counts costs nothing, and no write-ahead log is spent on them.
create unlogged table public.request_quotas (
  name    text primary key,
  ends_at timestamptz not null,
  used    integer not null,
  constraint names_say_something check (length(name) between 1 and 200)
);

create index request_quotas_by_end on public.request_quotas (ends_at);

-- Takes up to p_wanted of the p_quota requests that p_name may make in a window; a window begins with its first request
-- and lasts p_window_seconds, on the database's clock. Returns {"granted": 0 to p_wanted, "left": …, "reset_seconds":
-- …}. Forgets at most 100 callers whose window is over.
create function public.take_quota_v1(
  p_name text, p_quota integer, p_window_seconds integer, p_wanted integer default 1
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_most constant integer := 1000000;
  v_window public.request_quotas;
  v_now timestamptz;
  v_granted integer;
begin
  if p_quota is null or p_quota not between 1 and c_most
    or p_window_seconds is null or p_window_seconds not between 1 and 86400
    or p_wanted is null or p_wanted not between 1 and c_most
  then
    raise exception 'p_quota, p_window_seconds, p_wanted: above zero, at most %', c_most
      using errcode = 'invalid_parameter_value';
  end if;
  delete from public.request_quotas
  where name in (
    select name
    from public.request_quotas
    where ends_at < clock_timestamp() and name <> p_name
    order by ends_at
    limit 100
    for update skip locked
  );
  insert into public.request_quotas (name, ends_at, used) values (p_name, '-infinity', 0) on conflict do nothing;
  select * into strict v_window from public.request_quotas where name = p_name for update;
  -- Read when the row is ours: whoever waited for it comes later.
  v_now := clock_timestamp();
  if v_window.ends_at <= v_now then
    v_window.ends_at := v_now + make_interval(secs => p_window_seconds);
    v_window.used := 0;
  end if;
  v_granted := greatest(0, least(p_wanted, p_quota - v_window.used));
  update public.request_quotas
  set ends_at = v_window.ends_at, used = v_window.used + v_granted
  where name = p_name;
  return json_build_object(
    'granted', v_granted,
    'left', greatest(0, p_quota - v_window.used - v_granted),
    'reset_seconds', extract(epoch from v_window.ends_at - v_now)
  );
end
$$;

alter table public.request_quotas enable row level security;

revoke all on public.request_quotas from public, anon, authenticated, service_role;
grant select on public.request_quotas to service_role;

revoke all on function public.take_quota_v1(text, integer, integer, integer)
from public, anon, authenticated, service_role;

grant execute on function public.take_quota_v1(text, integer, integer, integer) to service_role;
