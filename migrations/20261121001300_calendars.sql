-- When markets trade: an instrument names its calendar, and time in which its market was closed is neither a gap nor
-- expected to hold anything. The calendars themselves are compute/calendar.py: the database is told closed time.

alter table public.instruments
  add column calendar text not null default 'always',
  add constraint calendar_is_known check (calendar in ('always', 'fx'));

comment on column public.instruments.calendar is
  'when its market trades: always, or fx (Sunday to Friday 17:00 New York)';

-- What a question about a stretch of time asks of the ledger.
create index candle_gaps_by_time on public.candle_gaps using gist (instrument_id, timeframe, span)
  where state in ('open', 'leased', 'unrecoverable', 'market_closed');

-- Takes closed time off the unresolved gaps of an instrument's minutes: each is split where a session begins or ends. A
-- lease stays with the first part that is left; a gap of closed time alone goes, lease and all.
create function internal.split_at_sessions(p_instrument_id smallint, p_closed tstzmultirange) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_gap public.candle_gaps;
  v_left tstzmultirange;
  v_first tstzrange;
begin
  for v_gap in
    select *
    from public.candle_gaps
    where instrument_id = p_instrument_id
      and timeframe = 1
      and state in ('open', 'leased')
      and span && p_closed
    order by id
  loop
    v_left := tstzmultirange(v_gap.span) - p_closed;
    if isempty(v_left) then
      delete from public.candle_gaps where id = v_gap.id;
    else
      select part into v_first from unnest(v_left) as part order by part limit 1;
      update public.candle_gaps set span = v_first where id = v_gap.id;
      insert into public.candle_gaps
        (instrument_id, timeframe, span, cause, found_at, attempts, worker, retry_at, reason)
      select
        v_gap.instrument_id,
        v_gap.timeframe,
        part,
        v_gap.cause,
        v_gap.found_at,
        v_gap.attempts,
        v_gap.worker,
        v_gap.retry_at,
        v_gap.reason
      from unnest(v_left) as part
      where part <> v_first
      order by part;
    end if;
  end loop;
end
$$;

-- Records that the market was closed in the whole minutes of p_spans: one market_closed gap a closed session, which
-- grows while the session lasts. What holds no candle is known to be empty from now on, so that coarser candles are
-- whole without it, and nobody is asked for it. Returns how many gaps were added or grew; said again, it changes
-- nothing. At most 10,000 spans.
create function public.mark_closed_v1(p_instrument_id smallint, p_spans tstzmultirange, p_now timestamptz)
returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_spans_max constant integer := 10000;
  v_whole tstzmultirange;
  v_said tstzmultirange;
  v_unknown tstzmultirange;
  v_part tstzrange;
  v_merged record;
  v_changed integer := 0;
begin
  if p_now is null or not isfinite(p_now)
    or p_spans is null
    or (not isempty(p_spans) and not coalesce(isfinite(upper(p_spans) - lower(p_spans)), false))
    or (select count(*) from unnest(p_spans)) > c_spans_max
  then
    raise exception 'p_spans, p_now: at most % spans, which begin and end somewhere, and some time', c_spans_max
      using errcode = 'invalid_parameter_value';
  end if;
  v_whole := internal.buckets_inside(p_spans, 1);
  if isempty(v_whole) then
    return 0;
  end if;
  select v_whole - coalesce(range_agg(empty), '{}') - coalesce(range_agg(covered), '{}')
  into v_unknown
  from public.coverage
  where instrument_id = p_instrument_id
    and timeframe = 1
    and month >= date_trunc('month', lower(v_whole))::date
    and month <= upper(v_whole)::date;
  -- Session by session, because it looks at the candles between the first moment and the last.
  for v_part in select part from unnest(v_unknown) as part order by part loop
    perform public.mark_empty_v1(p_instrument_id, 1::smallint, tstzmultirange(v_part));
  end loop;
  perform internal.lock_gaps(p_instrument_id);
  perform internal.split_at_sessions(p_instrument_id, v_whole);
  select coalesce(range_agg(span), '{}')
  into v_said
  from public.candle_gaps
  where instrument_id = p_instrument_id and timeframe = 1 and state = 'market_closed';
  for v_part in select part from unnest(v_whole + v_said) as part where not v_said @> part order by part loop
    select min(id) as id, min(found_at) as found_at
    into v_merged
    from public.candle_gaps
    where instrument_id = p_instrument_id and timeframe = 1 and state = 'market_closed' and span <@ v_part;
    if v_merged.id is null then
      insert into public.candle_gaps (instrument_id, timeframe, span, state, cause, found_at, repaired_at)
      values (p_instrument_id, 1, v_part, 'market_closed', 'calendar', p_now, p_now);
    else
      delete from public.candle_gaps
      where instrument_id = p_instrument_id
        and timeframe = 1
        and state = 'market_closed'
        and span <@ v_part
        and id <> v_merged.id;
      update public.candle_gaps
      set span = v_part, found_at = v_merged.found_at, repaired_at = p_now
      where id = v_merged.id;
    end if;
    v_changed := v_changed + 1;
  end loop;
  return v_changed;
end
$$;

-- count_candles_v1 without the buckets of which all is closed time: nothing is expected of them.
create function public.count_candles_v2(
  p_instrument_id smallint,
  p_timeframe smallint,
  p_start timestamptz,
  p_end timestamptz,
  p_closed tstzmultirange default '{}'
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
  c_length constant interval := make_interval(mins => p_timeframe);
  c_closed constant tstzmultirange := internal.buckets_inside(coalesce(p_closed, '{}'), p_timeframe);
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
        and (isempty(c_closed) or not c_closed @> tstzrange(open_time, open_time + c_length))
      group by 1
    ), known as (
      select coalesce(range_agg(empty), '{}') * tstzmultirange(tstzrange(p_start, p_end)) - c_closed as empty
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

revoke all on function
  internal.split_at_sessions(smallint, tstzmultirange),
  public.mark_closed_v1(smallint, tstzmultirange, timestamptz),
  public.count_candles_v2(smallint, smallint, timestamptz, timestamptz, tstzmultirange)
from public, anon, authenticated, service_role;

grant execute on function public.mark_closed_v1(smallint, tstzmultirange, timestamptz) to service_role;

grant execute on function public.count_candles_v2(smallint, smallint, timestamptz, timestamptz, tstzmultirange)
to anon, authenticated, service_role;
