-- What the drains worked in, so that whoever tells clients of candles hears of those that others wrote.

-- The time of 1m candles that changed, one row an instrument and drain; its coarser candles and coverage are up to date
-- since. The single drainer alone adds rows, so that numbers become visible in their order. The newest 100,000 are kept.
create table internal.changes (
  id            bigint generated always as identity primary key,
  instrument_id smallint not null references public.instruments on delete cascade,
  times         tstzmultirange not null
);

alter table internal.changes enable row level security;

-- Drains the oldest entries of the queue of changes: at most p_limit, and no more than some 400,000 minutes of candles,
-- about two seconds of work; the time that it worked in is listed in internal.changes. Returns how many it took; 0 when
-- none is left; -1 when another drainer is at work. One at a time, because the slower of two could overwrite a fresh
-- rollup with one from an older snapshot.
create or replace function public.drain_dirty_v1(p_limit integer default 2000) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_minutes_max constant bigint := 400000;
  c_ranges_max constant integer := 1000;
  c_changes_kept constant bigint := 100000;
  v_taken integer;
  v_instruments smallint[];
  v_times tstzmultirange[];
  v_timeframe smallint;
  v_touched smallint[];
  v_starts timestamptz[];
  v_ends timestamptz[];
begin
  if p_limit is null or p_limit < 1 then
    raise exception 'p_limit: at least 1 entry' using errcode = 'invalid_parameter_value';
  end if;
  if not pg_try_advisory_xact_lock(hashtext('market data: drain the queue of changes')) then
    return -1;
  end if;
  with oldest as (
    select id, minutes from internal.dirty order by id limit p_limit
  ), affordable as (
    select id from (select id, sum(minutes) over (order by id) - minutes as before from oldest) as sized
    where before < c_minutes_max
  ), taken as (
    delete from internal.dirty where id in (select id from affordable) returning instrument_id, times
  ), merged as (
    select instrument_id, count(*) as entries, range_agg(times) as times from taken group by instrument_id
  )
  select
    coalesce(sum(entries), 0),
    array_agg(instrument_id order by instrument_id),
    array_agg(times order by instrument_id)
  into v_taken, v_instruments, v_times
  from merged;
  if v_taken = 0 then
    return 0;
  end if;
  -- From fine to coarse: what a timeframe is made of is there before it, the silence of its minutes too.
  for v_timeframe in select minutes from public.timeframes order by minutes loop
    select array_agg(instrument_id), array_agg(starts), array_agg(ends)
    into v_touched, v_starts, v_ends
    from internal.buckets_touching(v_instruments, v_times, v_timeframe);
    if v_timeframe > 1 then
      perform internal.roll_up(v_timeframe, v_touched, v_starts, v_ends);
    end if;
    perform internal.cover(v_timeframe, v_touched, v_starts, v_ends);
  end loop;
  insert into internal.changes (instrument_id, times)
  select
    instrument_id,
    -- A ragged history is told as one span: that something in it changed is true all the same.
    case when (select count(*) from unnest(times)) > c_ranges_max
      then tstzmultirange(tstzrange(lower(times), upper(times))) else times end
  from unnest(v_instruments, v_times) as drained (instrument_id, times);
  delete from internal.changes where id <= (select max(id) from internal.changes) - c_changes_kept;
  return v_taken;
end
$$;

-- The changes numbered above p_after_id, oldest first, at most p_limit of them: one entry a span, times in microseconds.
-- `last_id` is the number to ask after next. Without p_after_id only that number, of the newest change of all.
create function public.get_changes_v1(p_after_id bigint default null, p_limit integer default 1000) returns json
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_limit_max constant integer := 10000;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    with told as (
      select id, instrument_id, times
      from internal.changes
      where id > p_after_id
      order by id
      limit p_limit
    )
    select json_build_object(
      'last_id', coalesce((select max(id) from told), p_after_id, (select max(id) from internal.changes), 0),
      'instrument_id', coalesce(json_agg(told.instrument_id order by told.id, part), '[]'),
      'start', coalesce(json_agg((extract(epoch from lower(part)) * 1000000)::bigint order by told.id, part), '[]'),
      'end', coalesce(json_agg((extract(epoch from upper(part)) * 1000000)::bigint order by told.id, part), '[]')
    )
    from told
    cross join lateral unnest(told.times) as part
  );
end
$$;

revoke all on function public.get_changes_v1(bigint, integer) from public, anon, authenticated, service_role;
grant execute on function public.get_changes_v1(bigint, integer) to service_role;
