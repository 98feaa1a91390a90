-- What is held of each instrument, and the figures by which the whole is watched.

-- From when to when candles are held of each of the instruments, one entry a timeframe that has any, as columns; times
-- are the opening of the oldest and the newest, in microseconds. `trades`: how many trades (quotes where the market is
-- quoted) went into them, counted over the candles of one timeframe (the finest of at least four hours, else the
-- coarsest), which alone has it; null where no candle of that timeframe counts any.
create function public.get_holdings_v1(p_instrument_ids smallint[]) returns json
language plpgsql
stable
set search_path = ''
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_instruments_max constant integer := 1000;
begin
  if p_instrument_ids is null or cardinality(p_instrument_ids) > c_instruments_max then
    raise exception 'p_instrument_ids: at most %', c_instruments_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    with kept as (
      select
        instrument.id,
        frame.minutes,
        frame.minutes = coalesce(
          (select min(coarse) from unnest(instrument.timeframes) as coarse where coarse >= 240),
          (select max(coarse) from unnest(instrument.timeframes) as coarse)
        ) as counts
      from public.instruments as instrument
      cross join lateral unnest(instrument.timeframes) as frame (minutes)
      where instrument.id = any (p_instrument_ids)
    ), held as (
      select
        kept.id,
        kept.minutes,
        (
          select open_time
          from public.candles
          where instrument_id = kept.id and timeframe = kept.minutes
          order by open_time
          limit 1
        ) as oldest,
        (
          select open_time
          from public.candles
          where instrument_id = kept.id and timeframe = kept.minutes
          order by open_time desc
          limit 1
        ) as newest,
        case
          when kept.counts
            then (select sum(trades) from public.candles where instrument_id = kept.id and timeframe = kept.minutes)
        end as trades
      from kept
    )
    select json_build_object(
      'instrument_id', coalesce(json_agg(id order by id, minutes), '[]'),
      'timeframe', coalesce(json_agg(minutes order by id, minutes), '[]'),
      'oldest', coalesce(json_agg((extract(epoch from oldest) * 1000000)::bigint order by id, minutes), '[]'),
      'newest', coalesce(json_agg((extract(epoch from newest) * 1000000)::bigint order by id, minutes), '[]'),
      'trades', coalesce(json_agg(trades order by id, minutes), '[]')
    )
    from held
    where oldest is not null
  );
end
$$;

-- Figures of the whole, as of p_now:
-- {"queued": entries that wait for the drain,
--  "gaps":    {"exchange", "state", "gaps", "seconds"}          the ledger,
--  "runs":    {"kind", "trigger", "state", "runs", "seconds", "last_at"}  the list of runs; seconds of those that ended,
--  "markets": {"instrument_id", "newest", "covered", "empty", "expected"}}  of each active instrument, at most the first
--             thousand: the opening of its newest 1m candle, and how many seconds of the p_span that ended two minutes
--             ago are held above partial, known to be empty, and expected: since it is known here.
-- Columns, times in microseconds. Coverage is as of the last drain.
create function public.get_figures_v1(p_now timestamptz, p_span interval default '1 day') returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_markets_max constant integer := 1000;
  c_span_max constant interval := interval '31 days';
  v_to timestamptz := internal.bucket(p_now - interval '2 minutes', 1);
  v_from timestamptz := internal.bucket(p_now - interval '2 minutes' - p_span, 1);
begin
  if p_now is null or not isfinite(p_now) or p_span is null or p_span <= interval '0' or p_span > c_span_max then
    raise exception 'p_now, p_span: some time, and at most % of it', c_span_max
      using errcode = 'invalid_parameter_value';
  end if;
  return json_build_object(
    'queued', (select count(*) from internal.dirty),
    'gaps', (
      select json_build_object(
        'exchange', coalesce(json_agg(exchange order by exchange, state), '[]'),
        'state', coalesce(json_agg(state order by exchange, state), '[]'),
        'gaps', coalesce(json_agg(gaps order by exchange, state), '[]'),
        'seconds', coalesce(json_agg(seconds order by exchange, state), '[]')
      )
      from (
        select
          instrument.exchange,
          gap.state,
          count(*) as gaps,
          sum(extract(epoch from upper(gap.span) - lower(gap.span)))::bigint as seconds
        from public.candle_gaps as gap
        join public.instruments as instrument on instrument.id = gap.instrument_id
        group by 1, 2
      ) as counted
    ),
    'runs', (
      select json_build_object(
        'kind', coalesce(json_agg(kind order by kind, trigger, state), '[]'),
        'trigger', coalesce(json_agg(trigger order by kind, trigger, state), '[]'),
        'state', coalesce(json_agg(state order by kind, trigger, state), '[]'),
        'runs', coalesce(json_agg(runs order by kind, trigger, state), '[]'),
        'seconds', coalesce(json_agg(seconds order by kind, trigger, state), '[]'),
        'last_at', coalesce(
          json_agg((extract(epoch from last_at) * 1000000)::bigint order by kind, trigger, state), '[]'
        )
      )
      from (
        select
          run.kind,
          run.trigger,
          internal.run_state(run, p_now) as state,
          count(*) as runs,
          -- One whose lease has ended was finished when that ended, whether or not anybody has written it down yet.
          coalesce(sum(extract(epoch from coalesce(
            run.finished_at, case when run.lease_until <= p_now then run.lease_until end
          ) - run.started_at)), 0)::double precision as seconds,
          max(run.started_at) as last_at
        from public.ingestion_jobs as run
        group by 1, 2, 3
      ) as counted
    ),
    'markets', (
      select json_build_object(
        'instrument_id', coalesce(json_agg(id order by id), '[]'),
        'newest', coalesce(json_agg((extract(epoch from newest) * 1000000)::bigint order by id), '[]'),
        'covered', coalesce(json_agg(covered order by id), '[]'),
        'empty', coalesce(json_agg(empty order by id), '[]'),
        'expected', coalesce(json_agg(expected order by id), '[]')
      )
      from (
        select
          followed.id,
          (
            select open_time
            from public.candles
            where instrument_id = followed.id and timeframe = 1
            order by open_time desc
            limit 1
          ) as newest,
          known.covered,
          known.empty,
          extract(epoch from v_to - followed.since)::bigint as expected
        from (
          select id, least(v_to, greatest(v_from, internal.bucket(created_at, 1))) as since
          from public.instruments
          where active
          order by id
          limit c_markets_max
        ) as followed
        cross join lateral (
          select
            coalesce(sum(extract(epoch from upper(held) - lower(held))) filter (where not silent), 0)::bigint as covered,
            coalesce(sum(extract(epoch from upper(held) - lower(held))) filter (where silent), 0)::bigint as empty
          from public.coverage as one
          cross join lateral (
            select unnest(one.covered * tstzmultirange(tstzrange(followed.since, v_to))) as held, false as silent
            union all
            select unnest(one.empty * tstzmultirange(tstzrange(followed.since, v_to))), true
          ) as part
          where one.instrument_id = followed.id
            and one.timeframe = 1
            and one.month >= date_trunc('month', v_from)::date
            and one.month <= v_to::date
        ) as known
      ) as market
    )
  );
end
$$;

revoke all on function public.get_holdings_v1(smallint[]), public.get_figures_v1(timestamptz, interval)
from public, anon, authenticated, service_role;

grant execute on function public.get_holdings_v1(smallint[]) to anon, authenticated, service_role;
grant execute on function public.get_figures_v1(timestamptz, interval) to service_role;
