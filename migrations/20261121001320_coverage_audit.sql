-- Coverage is what scans and answers go by, so it must be what the rows say. Writers' triggers keep it so; what goes past
-- them (a partition detached, attached or dropped, a truncate, a restored backup) does not. Hence the audit.

-- Compares, bucket by bucket and for every timeframe, the coverage of one instrument with its candles that open in
-- [p_start, p_end), at most 32 days: what is covered and not held, held and not covered, or called empty and held. Time
-- that waits in the queue is left out: coverage is behind there by design. With p_repair the wrong time is queued, so
-- that the next drain makes coverage and rollups anew. The first thousand stretches as columns, ordered by timeframe
-- and time, microseconds since the epoch; `total` counts all of them. `held` says what the rows say.
create function public.audit_coverage_v1(
  p_instrument_id smallint, p_start timestamptz, p_end timestamptz, p_repair boolean default true
) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
set plan_cache_mode = force_custom_plan
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_span_max constant interval := interval '32 days';
  c_listed_max constant integer := 1000;
  v_timeframe smallint;
  v_length interval;
  v_from timestamptz;
  v_to timestamptz;
  v_held tstzmultirange;
  v_lost tstzmultirange;
  v_wrong tstzmultirange := '{}';
  v_total bigint := 0;
  v_timeframes smallint[] := '{}';
  v_spans tstzrange[] := '{}';
  v_are_held boolean[] := '{}';
begin
  if p_start is null or p_end is null or not isfinite(p_start) or not isfinite(p_end)
    or p_end <= p_start or p_end - p_start > c_span_max
  then
    raise exception 'p_start, p_end: more than nothing and at most %', c_span_max
      using errcode = 'invalid_parameter_value';
  end if;
  for v_timeframe in select minutes from public.timeframes order by minutes loop
    v_length := make_interval(mins => v_timeframe);
    v_from := internal.next_bucket(p_start, v_timeframe);
    v_to := internal.next_bucket(p_end, v_timeframe);
    continue when v_from >= v_to;
    -- One statement, so that rows, coverage and queue are of one moment.
    with candle as (
      select
        coalesce(range_agg(tstzrange(open_time, open_time + v_length)), '{}') as any_source,
        coalesce(range_agg(tstzrange(open_time, open_time + v_length)) filter (where source > 1), '{}') as held
      from public.candles
      where instrument_id = p_instrument_id
        and timeframe = v_timeframe
        and open_time >= v_from
        and open_time < v_to
    ), known as (
      select
        coalesce(range_agg(covered), '{}') * tstzmultirange(tstzrange(v_from, v_to)) as covered,
        coalesce(range_agg(empty), '{}') * tstzmultirange(tstzrange(v_from, v_to)) as empty
      from public.coverage
      where instrument_id = p_instrument_id
        and timeframe = v_timeframe
        and month >= date_trunc('month', v_from - v_length)::date
        and month <= v_to::date
    ), queued as (
      select internal.whole_buckets(coalesce(range_agg(times), '{}'), v_timeframe) as times
      from internal.dirty
      where instrument_id = p_instrument_id
    )
    select
      (candle.held - known.covered) + (candle.any_source * known.empty) - queued.times,
      known.covered - candle.held - queued.times
    into v_held, v_lost
    from candle, known, queued;
    continue when isempty(v_held) and isempty(v_lost);
    v_wrong := v_wrong + v_held + v_lost;
    v_total := v_total + (select count(*) from unnest(v_held)) + (select count(*) from unnest(v_lost));
    select
      v_timeframes || array_agg(v_timeframe order by span),
      v_spans || array_agg(span order by span),
      v_are_held || array_agg(held order by span)
    into v_timeframes, v_spans, v_are_held
    from (
      select part as span, true as held from unnest(v_held) as part
      union all
      select part, false from unnest(v_lost) as part
      order by span
      limit c_listed_max
    ) as fault;
  end loop;
  if p_repair then
    insert into internal.dirty (instrument_id, minutes, times)
    select p_instrument_id, extract(epoch from sum(upper(piece) - lower(piece))) / 60, range_agg(piece)
    from unnest(v_wrong) as part
    cross join lateral generate_series(
      date_trunc('day', lower(part)), upper(part) - interval '1 microsecond', interval '1 day'
    ) as day
    cross join lateral (
      select tstzrange(greatest(lower(part), day), least(upper(part), day + interval '1 day')) as piece
    ) as pieces
    group by day
    order by day;
  end if;
  return (
    select json_build_object(
      'timeframe', coalesce(json_agg(minutes order by place), '[]'),
      'start', coalesce(json_agg((extract(epoch from lower(span)) * 1000000)::bigint order by place), '[]'),
      'end', coalesce(json_agg((extract(epoch from upper(span)) * 1000000)::bigint order by place), '[]'),
      'held', coalesce(json_agg(held order by place), '[]'),
      'total', v_total
    )
    from unnest(v_timeframes, v_spans, v_are_held) with ordinality as fault (minutes, span, held, place)
    where place <= c_listed_max
  );
end
$$;

revoke all on function public.audit_coverage_v1(smallint, timestamptz, timestamptz, boolean)
from public, anon, authenticated, service_role;

grant execute on function public.audit_coverage_v1(smallint, timestamptz, timestamptz, boolean) to service_role;
