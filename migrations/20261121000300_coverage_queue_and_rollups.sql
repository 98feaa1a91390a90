-- What is known of time, the queue of changes, and the drain that turns changes into coverage and coarser candles.

-- What is held and what is known to be empty, one row a month, so that a scan for gaps is set subtraction. A bucket is
-- filed under the month in which it opens. `covered`: buckets whose candle has a source above partial. `empty`: buckets
-- in which the exchange confirmed that nothing was traded. As of the last drain.
create table public.coverage (
  instrument_id smallint not null references public.instruments on delete cascade,
  timeframe     smallint not null references public.timeframes,
  month         date not null,
  covered       tstzmultirange not null default '{}',
  empty         tstzmultirange not null default '{}',
  primary key (instrument_id, timeframe, month),
  constraint months_begin_on_the_first
    check (extract(day from month) = 1),
  constraint nothing_is_both
    check (not covered && empty)
);

-- Which time of which instrument changed since the last drain. Append-only: a writer never waits for the drainer. One
-- row an instrument, day and statement; its foreign key is what refuses candles of instruments that are not there.
create table internal.dirty (
  id            bigint generated always as identity primary key,
  instrument_id smallint not null references public.instruments on delete cascade,
  minutes       integer not null,
  times         tstzmultirange not null
);

-- Queues the time of every reported candle of a statement. Rolled up ones are the drainer's own doing.
create function internal.queue_candles() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into internal.dirty (instrument_id, minutes, times)
  select
    instrument_id,
    sum(timeframe),
    range_agg(tstzrange(open_time, open_time + make_interval(mins => timeframe)))
  from changed
  where not derived
  group by instrument_id, date_trunc('day', open_time, 'UTC')
  order by min(open_time), instrument_id;
  return null;
end
$$;

create trigger queue_inserted
  after insert on public.candles
  referencing new table as changed
  for each statement execute function internal.queue_candles();

create trigger queue_updated
  after update on public.candles
  referencing new table as changed
  for each statement execute function internal.queue_candles();

create trigger queue_deleted
  after delete on public.candles
  referencing old table as changed
  for each statement execute function internal.queue_candles();

-- Queues all the history of an instrument, month by month, when its timeframes change: the drain then makes the ones
-- that are newly kept and drops the rolled up candles of those that are not kept any more.
create function internal.queue_instrument() returns trigger
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  insert into internal.dirty (instrument_id, minutes, times)
  select
    new.id,
    extract(epoch from month + interval '1 month' - month) / 60,
    tstzmultirange(tstzrange(month, month + interval '1 month'))
  from (
    select min(ends.oldest) as oldest, max(ends.newest) as newest
    from public.timeframes as frame
    cross join lateral (
      select min(open_time) as oldest, max(open_time) as newest
      from public.candles
      where instrument_id = new.id and timeframe = frame.minutes
    ) as ends
  ) as history
  cross join lateral generate_series(date_trunc('month', oldest), newest, interval '1 month') as month
  order by month;
  return null;
end
$$;

create trigger queue_instrument
  after update on public.instruments
  for each row
  when (old.timeframes is distinct from new.timeframes)
  execute function internal.queue_instrument();

-- The opening of the bucket that holds p_time.
create function internal.bucket(p_time timestamptz, p_minutes integer) returns timestamptz
language sql
immutable
parallel safe
return date_bin(make_interval(mins => p_minutes), p_time, '2001-01-01 00:00:00+00'::timestamptz);

-- The first bucket opening at or after p_time.
create function internal.next_bucket(p_time timestamptz, p_minutes integer) returns timestamptz
language sql
immutable
parallel safe
return internal.bucket(p_time - interval '1 microsecond', p_minutes) + make_interval(mins => p_minutes);

-- The whole buckets that lie inside p_times.
create function internal.buckets_inside(p_times tstzmultirange, p_minutes integer) returns tstzmultirange
language sql
immutable
parallel safe
return (
  select coalesce(
    range_agg(tstzrange(internal.next_bucket(lower(part), p_minutes), internal.bucket(upper(part), p_minutes))),
    '{}'::tstzmultirange
  )
  from unnest(p_times) as part
  where internal.next_bucket(lower(part), p_minutes) < internal.bucket(upper(part), p_minutes)
);

-- The timeframe that p_timeframe is rolled up from: the largest kept one that divides it. Null if p_timeframe is not
-- kept.
create function internal.child_timeframe(p_kept smallint[], p_timeframe smallint) returns smallint
language sql
immutable
parallel safe
return (
  select max(kept)
  from unnest(p_kept) as kept
  where p_timeframe = any (p_kept) and kept < p_timeframe and p_timeframe % kept = 0
);

-- The whole buckets that the changed times touch, merged where they meet, sorted: [starts, ends) an instrument.
create function internal.buckets_touching(p_instruments smallint[], p_times tstzmultirange[], p_minutes integer)
returns table (instrument_id smallint, starts timestamptz, ends timestamptz)
language sql
immutable
set search_path = ''
as $$
  select touched.instrument_id, lower(part), upper(part)
  from (
    select
      changed.instrument_id,
      range_agg(
        tstzrange(internal.bucket(lower(part), p_minutes), internal.next_bucket(upper(part), p_minutes))
      ) as buckets
    from unnest(p_instruments, p_times) as changed (instrument_id, times)
    cross join lateral unnest(changed.times) as part
    group by changed.instrument_id
  ) as touched
  cross join lateral unnest(touched.buckets) as part
  order by 1, 2
$$;

-- Writes the p_timeframe candles of the given whole buckets from their p_child candles, and drops the rolled up ones
-- that have no child any more. The three arrays go together, as buckets_touching returns them. The planner cannot know
-- how few rows a span selects, so it is told: by index, in nested loops, and planned for the time at hand, so that only
-- its partitions are looked at.
create function internal.write_parents(
  p_timeframe smallint, p_child smallint, p_instruments smallint[], p_starts timestamptz[], p_ends timestamptz[]
) returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_material = off
set enable_hashjoin = off
set enable_mergejoin = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_length constant interval := make_interval(mins => p_timeframe);
  c_child_length constant interval := make_interval(mins => p_child);
  v_from timestamptz;
  v_to timestamptz;
begin
  select min(starts), max(ends) into v_from, v_to from unnest(p_starts, p_ends) as touched (starts, ends);

  insert into public.candles (
    instrument_id, timeframe, open_time, open, high, low, close, volume, quote_volume, taker_buy_volume, trades,
    first_id, last_id, source, observed_at, derived
  )
  select
    touched.instrument_id,
    p_timeframe,
    parent.open_time,
    parent.opening[2],
    parent.high,
    parent.low,
    parent.closing[2],
    parent.volume,
    parent.quote_volume,
    parent.taker_buy_volume,
    parent.trades,
    parent.first_id,
    parent.last_id,
    -- As trusted as the least trusted child, if children and the time known to be empty leave no moment unknown.
    case
      when parent.source = 1 or parent.children * p_child = p_timeframe then parent.source
      when parent.held + coalesce(
        (
          select range_agg(minute.empty)
          from public.coverage as minute
          where minute.instrument_id = touched.instrument_id
            and minute.timeframe = 1
            and minute.month >= date_trunc('month', parent.open_time)::date
            and minute.month <= (parent.open_time + c_length)::date
        ),
        '{}'
      ) @> tstzrange(parent.open_time, parent.open_time + c_length) then parent.source
      else 1
    end,
    parent.observed_at,
    true
  from unnest(p_instruments, p_starts, p_ends) as touched (instrument_id, starts, ends)
  cross join lateral (
    select
      internal.bucket(child.open_time, p_timeframe) as open_time,
      count(*) as children,
      range_agg(tstzrange(child.open_time, child.open_time + c_child_length)) as held,
      min(array[extract(epoch from child.open_time), child.open]) as opening,
      max(array[extract(epoch from child.open_time), child.close]) as closing,
      max(child.high) as high,
      min(child.low) as low,
      sum(child.volume) as volume,
      -- A sum without one of its parts would be wrong, so it is not known.
      case when count(child.quote_volume) = count(*) then sum(child.quote_volume) end as quote_volume,
      case when count(child.taker_buy_volume) = count(*) then sum(child.taker_buy_volume) end as taker_buy_volume,
      case when count(child.trades) = count(*) then sum(child.trades) end as trades,
      min(child.first_id) as first_id,
      max(child.last_id) as last_id,
      min(child.source) as source,
      max(child.observed_at) as observed_at
    from public.candles as child
    where child.instrument_id = touched.instrument_id
      and child.timeframe = p_child
      and child.open_time >= touched.starts
      and child.open_time < touched.ends
      and child.open_time >= v_from
      and child.open_time < v_to
    group by 1
  ) as parent
  order by touched.instrument_id, parent.open_time
  on conflict (instrument_id, timeframe, open_time) do update set
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume,
    quote_volume = excluded.quote_volume,
    taker_buy_volume = excluded.taker_buy_volume,
    trades = excluded.trades,
    first_id = excluded.first_id,
    last_id = excluded.last_id,
    source = excluded.source,
    observed_at = excluded.observed_at,
    derived = excluded.derived;

  delete from public.candles as parent
  using (
    select orphan.instrument_id, orphan.open_time
    from unnest(p_instruments, p_starts, p_ends) as touched (instrument_id, starts, ends)
    cross join lateral (
      select rolled.instrument_id, rolled.open_time
      from public.candles as rolled
      where rolled.derived
        and rolled.instrument_id = touched.instrument_id
        and rolled.timeframe = p_timeframe
        and rolled.open_time >= touched.starts
        and rolled.open_time < touched.ends
        and rolled.open_time >= v_from
        and rolled.open_time < v_to
        and not exists (
          select
          from public.candles as child
          where child.instrument_id = touched.instrument_id
            and child.timeframe = p_child
            and child.open_time >= rolled.open_time
            and child.open_time < rolled.open_time + c_length
            and child.open_time >= v_from
            and child.open_time < v_to
          -- Asked once a row, by index: else the planner may compare everything with everything. So below.
          offset 0
        )
      offset 0
    ) as orphan
  ) as gone
  where parent.instrument_id = gone.instrument_id
    and parent.timeframe = p_timeframe
    and parent.open_time = gone.open_time;
end
$$;

-- Makes the rolled up p_timeframe candles of the given whole buckets what the finer candles say, each instrument from
-- the timeframe that it keeps; where p_timeframe is not kept (its child is null, so nothing is written), rolled up ones
-- go.
create function internal.roll_up(
  p_timeframe smallint, p_instruments smallint[], p_starts timestamptz[], p_ends timestamptz[]
) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_group record;
begin
  for v_group in
    select
      internal.child_timeframe(instrument.timeframes, p_timeframe) as child,
      array_agg(touched.instrument_id order by touched.instrument_id, touched.starts) as instruments,
      array_agg(touched.starts order by touched.instrument_id, touched.starts) as starts,
      array_agg(touched.ends order by touched.instrument_id, touched.starts) as ends
    from unnest(p_instruments, p_starts, p_ends) as touched (instrument_id, starts, ends)
    join public.instruments as instrument on instrument.id = touched.instrument_id
    group by 1
  loop
    perform internal.write_parents(p_timeframe, v_group.child, v_group.instruments, v_group.starts, v_group.ends);
  end loop;
end
$$;

-- The given whole buckets, cut by the month in which a bucket opens (a week may end in the next one).
create function internal.by_month(
  p_timeframe smallint, p_instruments smallint[], p_starts timestamptz[], p_ends timestamptz[]
) returns table (instrument_id smallint, month date, starts timestamptz, ends timestamptz)
language sql
immutable
set search_path = ''
set timezone = 'UTC'
as $$
  select
    touched.instrument_id,
    opening.month::date,
    greatest(touched.starts, internal.next_bucket(opening.month, p_timeframe)),
    least(touched.ends, internal.next_bucket(opening.month + interval '1 month', p_timeframe))
  from unnest(p_instruments, p_starts, p_ends) as touched (instrument_id, starts, ends)
  cross join lateral generate_series(
    date_trunc('month', touched.starts), touched.ends - interval '1 microsecond', interval '1 month'
  ) as opening (month)
  where internal.next_bucket(opening.month, p_timeframe) < touched.ends
    and internal.next_bucket(opening.month + interval '1 month', p_timeframe) > touched.starts
  order by 1, 2, 3
$$;

-- Makes the coverage of the given whole buckets what the candles there say. A candle of any source ends an emptiness.
create function internal.cover(
  p_timeframe smallint, p_instruments smallint[], p_starts timestamptz[], p_ends timestamptz[]
) returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_material = off
set enable_hashjoin = off
set enable_mergejoin = off
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_length constant interval := make_interval(mins => p_timeframe);
  v_from timestamptz;
  v_to timestamptz;
begin
  select min(starts), max(ends) into v_from, v_to from unnest(p_starts, p_ends) as touched (starts, ends);

  insert into public.coverage (instrument_id, timeframe, month)
  select distinct instrument_id, p_timeframe, month
  from internal.by_month(p_timeframe, p_instruments, p_starts, p_ends)
  order by 1, 3
  on conflict do nothing;

  update public.coverage as kept
  set
    covered = (kept.covered - found.buckets) + found.covered,
    -- Minutes hold the exchange's word itself; coarser timeframes follow from them.
    empty = case
      when p_timeframe = 1 then kept.empty - found.held
      else (kept.empty - found.buckets) + (found.silent - found.held)
    end
  from (
    select
      touched.instrument_id,
      touched.month,
      touched.buckets,
      touched.covered,
      touched.held,
      internal.buckets_inside(coalesce(minutes.empty, '{}') * touched.buckets, p_timeframe) as silent
    from (
      select
        piece.instrument_id,
        piece.month,
        range_agg(tstzrange(piece.starts, piece.ends)) as buckets,
        coalesce(range_agg(candles.covered), '{}') as covered,
        coalesce(range_agg(candles.held), '{}') as held
      from internal.by_month(p_timeframe, p_instruments, p_starts, p_ends) as piece
      cross join lateral (
        select
          range_agg(tstzrange(candle.open_time, candle.open_time + c_length)) as held,
          range_agg(tstzrange(candle.open_time, candle.open_time + c_length))
            filter (where candle.source > 1) as covered
        from public.candles as candle
        where candle.instrument_id = piece.instrument_id
          and candle.timeframe = p_timeframe
          and candle.open_time >= piece.starts
          and candle.open_time < piece.ends
          and candle.open_time >= v_from
          and candle.open_time < v_to
      ) as candles
      group by piece.instrument_id, piece.month
    ) as touched
    cross join lateral (
      select range_agg(minute.empty) as empty
      from public.coverage as minute
      where p_timeframe > 1
        and minute.instrument_id = touched.instrument_id
        and minute.timeframe = 1
        and minute.month >= touched.month
        and minute.month <= (touched.month + interval '1 month')::date
    ) as minutes
  ) as found
  where kept.instrument_id = found.instrument_id
    and kept.timeframe = p_timeframe
    and kept.month = found.month;
end
$$;

-- Drains the oldest entries of the queue of changes: at most p_limit, and no more than some 400,000 minutes of candles,
-- about two seconds of work. Returns how many it took; 0 when none is left; -1 when another drainer is at work. One at
-- a time, because the slower of two could overwrite a fresh rollup with one from an older snapshot.
create function public.drain_dirty_v1(p_limit integer default 2000) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_minutes_max constant bigint := 400000;
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
  return v_taken;
end
$$;

-- Records that the exchange confirmed that nothing was traded in p_spans, of which whole buckets of p_timeframe count.
-- Emptiness is a fact of time, so it is kept by the minute; coarser timeframes follow with the next drain. A minute
-- with a candle, of whatever source, is not empty. Said again, it changes nothing.
create function public.mark_empty_v1(p_instrument_id smallint, p_timeframe smallint, p_spans tstzmultirange)
returns void
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  if not exists (select from public.timeframes where minutes = p_timeframe) then
    raise exception 'p_timeframe: % is not a timeframe', p_timeframe using errcode = 'invalid_parameter_value';
  end if;
  if p_spans is null or (not isempty(p_spans) and not isfinite(upper(p_spans) - lower(p_spans))) then
    raise exception 'p_spans: must begin and end somewhere' using errcode = 'invalid_parameter_value';
  end if;
  with said as (
    select month::date as month, internal.buckets_inside(p_spans, p_timeframe)
      * tstzmultirange(tstzrange(month, month + interval '1 month')) as times
    from generate_series(date_trunc('month', lower(p_spans)), upper(p_spans), interval '1 month') as month
  ), silent as (
    select said.month, said.times - coalesce(held.times, '{}') as times
    from said
    cross join lateral (
      select range_agg(tstzrange(open_time, open_time + interval '1 minute')) as times
      from public.candles
      where instrument_id = p_instrument_id
        and timeframe = 1
        and open_time >= lower(said.times)
        and open_time < upper(said.times)
    ) as held
  ), learned as (
    insert into public.coverage as kept (instrument_id, timeframe, month, empty)
    select p_instrument_id, 1, month, times from silent where not isempty(times) order by month
    on conflict (instrument_id, timeframe, month) do update set
      empty = kept.empty + excluded.empty,
      covered = kept.covered - excluded.empty
    where not kept.empty @> excluded.empty
    returning month
  )
  insert into internal.dirty (instrument_id, minutes, times)
  select p_instrument_id, extract(epoch from upper(times) - lower(times)) / 60, times
  from silent join learned using (month)
  order by month;
end
$$;
