-- How clients read, and who may.

-- Candles under their names, for people and spreadsheets. `complete`: more than a part of the bucket.
create view public.candles_v with (security_invoker = true) as
select
  instrument.exchange,
  instrument.symbol,
  frame.name as timeframe,
  candle.open_time,
  candle.open,
  candle.high,
  candle.low,
  candle.close,
  candle.volume,
  candle.quote_volume,
  candle.taker_buy_volume,
  candle.trades,
  candle.first_id,
  candle.last_id,
  (array['partial', 'live', 'venue', 'proven', 'manual'])[candle.source] as source,
  candle.observed_at,
  candle.revision,
  instrument.simulated,
  candle.source > 1 as complete
from public.candles as candle
join public.instruments as instrument on instrument.id = candle.instrument_id
join public.timeframes as frame on frame.minutes = candle.timeframe;

-- At most p_limit candles with p_start <= open_time < p_end (null: unbounded), the oldest ones in ascending order, or
-- the newest ones in descending order. One JSON object of columns, so that no cap on rows cuts it. Times are
-- microseconds since the epoch; numerics are text, because JSON clients turn numbers into floats, without trailing
-- zeros, so that equal candles read equal.
create function public.get_candles_v1(
  p_instrument_id smallint,
  p_timeframe smallint,
  p_start timestamptz default null,
  p_end timestamptz default null,
  p_limit integer default 500,
  p_newest_first boolean default false
) returns json
language plpgsql
stable
set search_path = ''
set max_parallel_workers_per_gather = 0
as $$
declare
  c_limit_max constant integer := 10000;
  v_start constant timestamptz := coalesce(p_start, '-infinity');
  v_end constant timestamptz := coalesce(p_end, 'infinity');
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    select json_build_object(
      'open_time', coalesce(json_agg((extract(epoch from open_time) * 1000000)::bigint), '[]'),
      'open', coalesce(json_agg(trim_scale(open)::text), '[]'),
      'high', coalesce(json_agg(trim_scale(high)::text), '[]'),
      'low', coalesce(json_agg(trim_scale(low)::text), '[]'),
      'close', coalesce(json_agg(trim_scale(close)::text), '[]'),
      'volume', coalesce(json_agg(trim_scale(volume)::text), '[]'),
      'quote_volume', coalesce(json_agg(trim_scale(quote_volume)::text), '[]'),
      'taker_buy_volume', coalesce(json_agg(trim_scale(taker_buy_volume)::text), '[]'),
      'trades', coalesce(json_agg(trades), '[]'),
      'first_id', coalesce(json_agg(first_id), '[]'),
      'last_id', coalesce(json_agg(last_id), '[]'),
      'source', coalesce(json_agg(source), '[]'),
      'observed_at', coalesce(json_agg((extract(epoch from observed_at) * 1000000)::bigint), '[]'),
      'revision', coalesce(json_agg(revision), '[]')
    )
    -- Only one of the two is run; either comes in order, straight from the primary key.
    from (
      (
        select *
        from public.candles
        where not p_newest_first
          and instrument_id = p_instrument_id
          and timeframe = p_timeframe
          and open_time >= v_start
          and open_time < v_end
        order by open_time
        limit p_limit
      )
      union all
      (
        select *
        from public.candles
        where p_newest_first
          and instrument_id = p_instrument_id
          and timeframe = p_timeframe
          and open_time >= v_start
          and open_time < v_end
        order by open_time desc
        limit p_limit
      )
    ) as candle
  );
end
$$;

-- At most p_limit trades with p_start <= time < p_end, ordered by (time, trade id), as columns in the manner of
-- get_candles_v1. Price and size are the exchange's own text.
create function public.get_trades_v1(
  p_instrument_id smallint, p_start timestamptz, p_end timestamptz, p_limit integer default 500
) returns json
language plpgsql
stable
set search_path = ''
set max_parallel_workers_per_gather = 0
as $$
declare
  c_limit_max constant integer := 10000;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    select json_build_object(
      'time', coalesce(json_agg((extract(epoch from time) * 1000000)::bigint), '[]'),
      'trade_id', coalesce(json_agg(trade_id), '[]'),
      'price', coalesce(json_agg(price::text), '[]'),
      'size', coalesce(json_agg(size::text), '[]'),
      'taker_buy', coalesce(json_agg(taker_buy), '[]'),
      'count', coalesce(json_agg(count), '[]')
    )
    from (
      select *
      from public.ticks
      where instrument_id = p_instrument_id
        and time >= coalesce(p_start, '-infinity')
        and time < coalesce(p_end, 'infinity')
      order by time, trade_id
      limit p_limit
    ) as trade
  );
end
$$;

-- What is known of [p_start, p_end) (null: unbounded), as {"covered": [[start, end], …], "empty": […]}: sorted,
-- disjoint, merged where they touch, clipped to what was asked for; microseconds since the epoch.
create function public.get_coverage_v1(
  p_instrument_id smallint, p_timeframe smallint, p_start timestamptz default null, p_end timestamptz default null
) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
  with known as (
    select
      range_agg(covered) * tstzmultirange(tstzrange(p_start, p_end)) as covered,
      range_agg(empty) * tstzmultirange(tstzrange(p_start, p_end)) as empty
    from public.coverage
    where instrument_id = p_instrument_id
      and timeframe = p_timeframe
      -- A bucket is filed under the month in which it opens, and the span may begin inside it.
      and (p_start is null or month >= date_trunc('month', p_start - make_interval(mins => p_timeframe))::date)
      and (p_end is null or month <= p_end::date)
  )
  select json_build_object(
    'covered', (
      select coalesce(json_agg(json_build_array(
        (extract(epoch from lower(part)) * 1000000)::bigint, (extract(epoch from upper(part)) * 1000000)::bigint
      ) order by part), '[]')
      from unnest(known.covered) as part
    ),
    'empty', (
      select coalesce(json_agg(json_build_array(
        (extract(epoch from lower(part)) * 1000000)::bigint, (extract(epoch from upper(part)) * 1000000)::bigint
      ) order by part), '[]')
      from unnest(known.empty) as part
    )
  )
  from known
$$;

-- The newest migration that was applied: what a client asks to know that the schema is there.
create function public.schema_version_v1() returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (select max(version) from supabase_migrations.schema_migrations);
end
$$;

-- Row level security on everything. Whoever comes without a right of their own reads instruments, timeframes, candles
-- and coverage, and nothing else; the service role, which row level security does not bind, does the work.
alter table public.timeframes enable row level security;
alter table public.instruments enable row level security;
alter table public.candles enable row level security;
alter table public.coverage enable row level security;
alter table public.ticks enable row level security;
alter table public.feeds enable row level security;
alter table internal.dirty enable row level security;

create policy everyone_reads on public.timeframes for select to anon, authenticated using (true);
create policy everyone_reads on public.instruments for select to anon, authenticated using (true);
create policy everyone_reads on public.candles for select to anon, authenticated using (true);
create policy everyone_reads on public.coverage for select to anon, authenticated using (true);

-- Supabase grants everything on new objects of `public` to every role; here each gets what it needs.
revoke all on public.timeframes, public.instruments, public.candles, public.coverage, public.ticks, public.feeds,
  public.candles_v from public, anon, authenticated, service_role;

grant select on public.timeframes, public.instruments, public.candles, public.coverage, public.candles_v
  to anon, authenticated, service_role;

grant insert, update, delete on public.instruments, public.candles to service_role;
grant select, insert, update, delete on public.ticks, public.feeds to service_role;

revoke all on all functions in schema internal from public, anon, authenticated, service_role;

revoke all on function
  public.drain_dirty_v1(integer),
  public.mark_empty_v1(smallint, smallint, tstzmultirange),
  public.ensure_partitions_v1(timestamptz, timestamptz),
  public.get_trades_v1(smallint, timestamptz, timestamptz, integer),
  public.get_candles_v1(smallint, smallint, timestamptz, timestamptz, integer, boolean),
  public.get_coverage_v1(smallint, smallint, timestamptz, timestamptz),
  public.schema_version_v1()
from public, anon, authenticated, service_role;

grant execute on function
  public.drain_dirty_v1(integer),
  public.mark_empty_v1(smallint, smallint, tstzmultirange),
  public.ensure_partitions_v1(timestamptz, timestamptz),
  public.get_trades_v1(smallint, timestamptz, timestamptz, integer)
to service_role;

grant execute on function
  public.get_candles_v1(smallint, smallint, timestamptz, timestamptz, integer, boolean),
  public.get_coverage_v1(smallint, smallint, timestamptz, timestamptz),
  public.schema_version_v1()
to anon, authenticated, service_role;
