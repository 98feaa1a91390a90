-- How long what is kept. Nothing is forgotten of which nothing is said here.

-- `what`: a timeframe, ticks or quotes. Kept is what is younger than `keep`.
create table public.retention (
  what text primary key,
  keep interval not null,
  constraint what_is_kept_here
    check (what in ('1m', '5m', '15m', '1h', '4h', '12h', '1d', '1w', 'ticks', 'quotes')),
  constraint a_day_at_least
    check (keep >= interval '1 day')
);

-- The partitions below a parent, oldest first, and the time that each one is of.
create function internal.partitions_of(p_parent regclass)
returns table (name text, starts timestamptz, ends timestamptz)
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
  select
    partition.relname::text,
    (regexp_match(bound.text, 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
    (regexp_match(bound.text, 'TO \(''([^'']+)''\)'))[1]::timestamptz
  from pg_catalog.pg_inherits as child
  join pg_catalog.pg_class as partition on partition.oid = child.inhrelid
  cross join lateral (select pg_catalog.pg_get_expr(partition.relpartbound, partition.oid) as text) as bound
  where child.inhparent = p_parent
  order by 2
$$;

-- Lets coarser candles stand on their own before the finer ones that they were made of go: a rolled up candle without its
-- parts would be dropped by the next drain. At most p_limit; returns how many.
create function internal.keep_rollups(p_minutes integer, p_from timestamptz, p_to timestamptz, p_limit integer)
returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_kept integer;
begin
  with standing as (
    select instrument_id, timeframe, open_time
    from public.candles
    where derived
      and timeframe > p_minutes
      and open_time < p_to
      and open_time > p_from - make_interval(mins => 10080)
      and open_time + make_interval(mins => timeframe) > p_from
    order by instrument_id, timeframe, open_time
    limit p_limit
  )
  update public.candles as candle
  set derived = false
  from standing
  where candle.instrument_id = standing.instrument_id
    and candle.timeframe = standing.timeframe
    and candle.open_time = standing.open_time;
  get diagnostics v_kept = row_count;
  return v_kept;
end
$$;

-- One step of forgetting what is older than is kept: one partition, or at most 5,000 rows, so that it ends well inside the
-- statement timeout. Returns how much it did; 0 when nothing is left to do, or readers are in the way.
create function public.prune_history_v1(p_now timestamptz) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
set lock_timeout = '2s'
as $$
declare
  c_rows_max constant integer := 5000;
  v_rule record;
  v_part record;
  v_done integer;
begin
  if p_now is null or not isfinite(p_now) then
    raise exception 'p_now: some time' using errcode = 'invalid_parameter_value';
  end if;
  for v_rule in
    select
      rule.what,
      p_now - rule.keep as before,
      frame.minutes,
      case
        when rule.what in ('ticks', 'quotes') then 'public.' || rule.what
        when frame.minutes in (1, 5) then 'parts.candles_' || rule.what
      end as parent
    from public.retention as rule
    left join public.timeframes as frame on frame.name = rule.what
    order by frame.minutes nulls first
  loop
    if v_rule.parent is not null then
      select * into v_part from internal.partitions_of(v_rule.parent::regclass) where ends <= v_rule.before limit 1;
      continue when not found;
      if v_rule.minutes is not null then
        v_done := internal.keep_rollups(v_rule.minutes, v_part.starts, v_part.ends, c_rows_max);
        if v_done > 0 then
          return v_done;
        end if;
        update public.coverage
        set covered = '{}'
        where timeframe = v_rule.minutes and month >= v_part.starts::date and month < v_part.ends::date;
      end if;
      execute format('drop table parts.%I', v_part.name);
      return 1;
    end if;
    select min(open_time) as starts, max(open_time) as ends into v_part from (
      select open_time
      from public.candles
      where timeframe = v_rule.minutes and open_time < v_rule.before - make_interval(mins => v_rule.minutes)
      order by open_time
      limit c_rows_max
    ) as oldest;
    continue when v_part.starts is null;
    v_part.ends := v_part.ends + make_interval(mins => v_rule.minutes);
    v_done := internal.keep_rollups(v_rule.minutes, v_part.starts, v_part.ends, c_rows_max);
    if v_done > 0 then
      return v_done;
    end if;
    delete from public.candles
    where timeframe = v_rule.minutes and open_time >= v_part.starts and open_time < v_part.ends;
    get diagnostics v_done = row_count;
    return v_done;
  end loop;
  return 0;
exception
  when lock_not_available then
    return 0;
end
$$;

alter table public.retention enable row level security;

revoke all on public.retention from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.retention to service_role;

revoke all on function
  internal.partitions_of(regclass),
  internal.keep_rollups(integer, timestamptz, timestamptz, integer),
  public.prune_history_v1(timestamptz)
from public, anon, authenticated, service_role;

grant execute on function public.prune_history_v1(timestamptz) to service_role;
