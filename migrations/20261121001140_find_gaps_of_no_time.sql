-- A search for gaps in a history of no length finds nothing, instead of failing until its plan is kept.

-- The minutes of active instruments that are wanted, and neither held, known to be empty nor on the ledger, as of the
-- last drain: set subtraction on the coverage. Wanted is, inside the whole minutes of [p_now - p_history, p_now -
-- p_grace), what came since the instrument is known here, and whatever was on the ledger before. What is unresolved,
-- unrecoverable or of a closed market is spoken for. The newest p_limit spans, as columns ordered by instrument and
-- time; microseconds since the epoch.
create or replace function public.find_gaps_v1(
  p_now timestamptz,
  p_history interval,
  p_grace interval,
  p_instrument_id smallint default null,
  p_limit integer default 10000
) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
set max_parallel_workers_per_gather = 0
set jit = off
as $$
declare
  c_limit_max constant integer := 10000;
  v_start timestamptz;
  v_end timestamptz;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  v_start := internal.next_bucket(p_now - p_history, 1);
  v_end := internal.bucket(p_now - p_grace, 1);
  if v_start is null or v_end is null or not isfinite(v_start) or not isfinite(v_end) then
    raise exception 'p_now, p_history, p_grace: some time' using errcode = 'invalid_parameter_value';
  end if;
  -- Said here and not in the query: a planner that knows the times would refuse a range that ends before it begins.
  if v_start >= v_end then
    return json_build_object('instrument_id', '[]'::json, 'start', '[]'::json, 'end', '[]'::json);
  end if;
  return (
    with followed as (
      select
        id,
        least(v_end, greatest(v_start, internal.bucket(created_at, 1))) as starts
      from public.instruments
      where active and (p_instrument_id is null or id = p_instrument_id)
    ), missing as (
      select followed.id, lower(part) as starts, upper(part) as ends
      from followed
      cross join lateral (
        select
          coalesce(range_agg(span), '{}') as ever,
          coalesce(
            range_agg(span) filter (where state in ('open', 'leased', 'market_closed', 'unrecoverable')), '{}'
          ) as spoken_for
        from public.candle_gaps
        where instrument_id = followed.id and timeframe = 1
      ) as ledger
      cross join lateral (
        select coalesce(range_agg(covered), '{}') + coalesce(range_agg(empty), '{}') as times
        from public.coverage
        where instrument_id = followed.id
          and timeframe = 1
          and month >= date_trunc('month', v_start)::date
          and month <= v_end::date
      ) as known
      cross join lateral unnest(
        (ledger.ever + tstzmultirange(tstzrange(followed.starts, v_end))) * tstzmultirange(tstzrange(v_start, v_end))
        - known.times - ledger.spoken_for
      ) as part
    ), newest as (
      select id, starts, ends from missing order by ends desc, id limit p_limit
    )
    select json_build_object(
      'instrument_id', coalesce(json_agg(id order by id, starts), '[]'),
      'start', coalesce(json_agg((extract(epoch from starts) * 1000000)::bigint order by id, starts), '[]'),
      'end', coalesce(json_agg((extract(epoch from ends) * 1000000)::bigint order by id, starts), '[]')
    )
    from newest
  );
end
$$;
