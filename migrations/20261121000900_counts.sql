-- How much of each day is held, and how well: counted where the rows are, instead of carrying a year of them to a client.

-- Of each UTC day of [p_start, p_end), at most 366 days and a bit, in which anything is known: how many buckets open in
-- it that have a candle, by its source, and how many are known to be empty. One JSON object of columns, oldest day
-- first, days as microseconds since the epoch; `partial`, `live`, `venue`, `proven`, `manual` count candles.
--
-- A bucket is counted once: a candle that came after its time was called empty, and that the drain has not met yet, ends
-- the emptiness here too. Such a candle's time is still in the queue, so only that is looked at; the queue is out of
-- readers' reach, hence the owner's rights.
create function public.count_candles_v1(
  p_instrument_id smallint, p_timeframe smallint, p_start timestamptz, p_end timestamptz
) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
set max_parallel_workers_per_gather = 0
as $$
declare
  c_span_max constant interval := interval '367 days';
begin
  if p_start is null or p_end is null or not isfinite(p_start) or not isfinite(p_end)
    or p_end <= p_start or p_end - p_start > c_span_max
  then
    raise exception 'p_start, p_end: more than nothing and at most %', c_span_max
      using errcode = 'invalid_parameter_value';
  end if;
  return (
    with held as (
      select
        date_trunc('day', open_time) as day,
        count(*) filter (where source = 1) as partial,
        count(*) filter (where source = 2) as live,
        count(*) filter (where source = 3) as venue,
        count(*) filter (where source = 4) as proven,
        count(*) filter (where source = 5) as manual,
        0 as empty
      from public.candles
      where instrument_id = p_instrument_id
        and timeframe = p_timeframe
        and open_time >= p_start
        and open_time < p_end
      group by 1
    ), known as (
      select coalesce(range_agg(empty), '{}') * tstzmultirange(tstzrange(p_start, p_end)) as empty
      from public.coverage
      where instrument_id = p_instrument_id
        and timeframe = p_timeframe
        and month >= date_trunc('month', p_start - make_interval(mins => p_timeframe))::date
        and month <= p_end::date
    ), queued as (
      select coalesce(range_agg(times), '{}') as times from internal.dirty where instrument_id = p_instrument_id
    ), silent as (
      -- The buckets that open in each day's piece of an emptiness.
      select
        day,
        extract(epoch from
          internal.next_bucket(least(upper(part), day + interval '1 day'), p_timeframe)
          - internal.next_bucket(greatest(lower(part), day), p_timeframe)
        )::bigint / 60 / p_timeframe as empty
      from known
      cross join lateral unnest(known.empty) as part
      cross join lateral generate_series(
        date_trunc('day', lower(part)), upper(part) - interval '1 microsecond', interval '1 day'
      ) as day
    ), ended as (
      select date_trunc('day', candle.open_time) as day, -count(*) as empty
      from known
      cross join queued
      cross join lateral unnest(known.empty * queued.times) as part
      join public.candles as candle
        on candle.instrument_id = p_instrument_id
        and candle.timeframe = p_timeframe
        and candle.open_time >= lower(part)
        and candle.open_time < upper(part)
      group by 1
    ), counted as (
      select
        day,
        sum(partial) as partial,
        sum(live) as live,
        sum(venue) as venue,
        sum(proven) as proven,
        sum(manual) as manual,
        sum(empty) as empty
      from (
        select * from held
        union all
        select day, 0, 0, 0, 0, 0, empty from silent
        union all
        select day, 0, 0, 0, 0, 0, empty from ended
      ) as counts
      group by day
      having sum(partial + live + venue + proven + manual + empty) > 0
    )
    select json_build_object(
      'day', coalesce(json_agg((extract(epoch from day) * 1000000)::bigint order by day), '[]'),
      'partial', coalesce(json_agg(partial order by day), '[]'),
      'live', coalesce(json_agg(live order by day), '[]'),
      'venue', coalesce(json_agg(venue order by day), '[]'),
      'proven', coalesce(json_agg(proven order by day), '[]'),
      'manual', coalesce(json_agg(manual order by day), '[]'),
      'empty', coalesce(json_agg(empty order by day), '[]')
    )
    from counted
  );
end
$$;

revoke all on function public.count_candles_v1(smallint, smallint, timestamptz, timestamptz)
from public, anon, authenticated, service_role;

grant execute on function public.count_candles_v1(smallint, smallint, timestamptz, timestamptz)
to anon, authenticated, service_role;
