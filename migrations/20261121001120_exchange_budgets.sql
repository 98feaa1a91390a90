-- How much each exchange may be asked, by all of us together: whoever asks takes its turn here, on the database's clock.

-- `next_at`: when the next request may be made if none is saved up. `blocked_until`: the exchange asked for silence.
create table public.exchange_budgets (
  exchange      text primary key,
  next_at       timestamptz not null default '-infinity',
  blocked_until timestamptz not null default '-infinity',
  blocked_for   text not null default '',
  constraint names_say_something
    check (length(exchange) between 1 and 100 and length(blocked_for) <= 300)
);

-- Reserves p_count requests at p_per_second, of which p_burst may be made at once after a rest. Returns {"starts_in":
-- seconds until the first (below zero: so much of a burst is left), "blocked_seconds": …}; each other request is due one
-- pace after the one before. While the exchange is blocked, or if the first would wait for longer than
-- p_wait_seconds_max, nothing is reserved. Silence saves nothing up.
create function public.take_requests_v1(
  p_exchange text,
  p_per_second double precision,
  p_burst integer,
  p_count integer default 1,
  p_wait_seconds_max double precision default 30
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_most constant integer := 10000;
  v_budget public.exchange_budgets;
  v_now timestamptz;
  v_first timestamptz;
  v_starts_in double precision;
  v_blocked double precision;
begin
  if p_per_second is null or p_per_second <= 0 or p_per_second > c_most
    or p_burst is null or p_burst not between 1 and c_most
    or p_count is null or p_count not between 1 and c_most
    or p_wait_seconds_max is null or p_wait_seconds_max < 0
  then
    raise exception 'p_per_second, p_burst, p_count, p_wait_seconds_max: above zero, at most %', c_most
      using errcode = 'invalid_parameter_value';
  end if;
  insert into public.exchange_budgets (exchange) values (p_exchange) on conflict do nothing;
  select * into strict v_budget from public.exchange_budgets where exchange = p_exchange for update;
  -- Read when the row is ours: whoever waited for it comes later.
  v_now := clock_timestamp();
  v_first := greatest(
    v_budget.next_at, v_budget.blocked_until, v_now - make_interval(secs => (p_burst - 1) / p_per_second)
  );
  v_starts_in := extract(epoch from v_first - v_now);
  v_blocked := case
    when v_budget.blocked_until > v_now then extract(epoch from v_budget.blocked_until - v_now)
    else 0
  end;
  if v_blocked = 0 and v_starts_in <= p_wait_seconds_max then
    update public.exchange_budgets
    set next_at = v_first + make_interval(secs => p_count / p_per_second)
    where exchange = p_exchange;
  end if;
  return json_build_object('starts_in', v_starts_in, 'blocked_seconds', v_blocked);
end
$$;

-- The exchange asked for silence: nobody asks it for p_seconds. A longer silence that holds already stays.
create function public.block_exchange_v1(p_exchange text, p_seconds double precision, p_reason text) returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_seconds_max constant integer := 604800;
begin
  if p_seconds is null or p_seconds < 0 or p_seconds > c_seconds_max then
    raise exception 'p_seconds: at most %', c_seconds_max using errcode = 'invalid_parameter_value';
  end if;
  insert into public.exchange_budgets as kept (exchange, blocked_until, blocked_for)
  values (p_exchange, clock_timestamp() + make_interval(secs => p_seconds), left(coalesce(p_reason, ''), 300))
  on conflict (exchange) do update
  set blocked_until = excluded.blocked_until, blocked_for = excluded.blocked_for
  where kept.blocked_until < excluded.blocked_until;
end
$$;

-- The exchanges that are blocked now, by name, as one JSON array.
create function public.get_limits_v1() returns json
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
return (
  select coalesce(
    json_agg(
      json_build_object('exchange', exchange, 'blocked_until', blocked_until, 'reason', blocked_for) order by exchange
    ),
    '[]'
  )
  from public.exchange_budgets
  where blocked_until > clock_timestamp()
);

alter table public.exchange_budgets enable row level security;

revoke all on public.exchange_budgets from public, anon, authenticated, service_role;

grant select on public.exchange_budgets to service_role;

revoke all on function
  public.take_requests_v1(text, double precision, integer, integer, double precision),
  public.block_exchange_v1(text, double precision, text),
  public.get_limits_v1()
from public, anon, authenticated, service_role;

grant execute on function
  public.take_requests_v1(text, double precision, integer, integer, double precision),
  public.block_exchange_v1(text, double precision, text),
  public.get_limits_v1()
to service_role;
