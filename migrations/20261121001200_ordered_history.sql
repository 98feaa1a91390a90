-- History that was ordered: found once, kept apart from gaps that happened, worked on piece by piece and after them.

-- As record_gaps_v1, but ordered history and gaps that happened do not grow into each other, so that each keeps its
-- cause and its age.
create function public.record_gaps_v2(
  p_instrument_id smallint, p_timeframe smallint, p_spans tstzmultirange, p_cause text, p_found_at timestamptz
) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_spans_max constant integer := 10000;
  v_unresolved tstzmultirange;
  v_open tstzmultirange;
  v_news tstzmultirange;
  v_part tstzrange;
  v_merged record;
  v_changed integer := 0;
begin
  if p_spans is null
    or (not isempty(p_spans) and not coalesce(isfinite(upper(p_spans) - lower(p_spans)), false))
    or (select count(*) from unnest(p_spans)) > c_spans_max
  then
    raise exception 'p_spans: at most %, which begin and end somewhere', c_spans_max
      using errcode = 'invalid_parameter_value';
  end if;
  perform internal.lock_gaps(p_instrument_id);
  select
    coalesce(range_agg(span), '{}'),
    coalesce(range_agg(span) filter (where state = 'open' and (cause = 'history') = (p_cause = 'history')), '{}')
  into v_unresolved, v_open
  from public.candle_gaps
  where instrument_id = p_instrument_id and timeframe = p_timeframe and state in ('open', 'leased');
  v_news := internal.whole_buckets(p_spans, p_timeframe) - v_unresolved;
  for v_part in select part from unnest(v_news + v_open) as part where part && v_news order by part loop
    select
      min(id) as id,
      min(found_at) as found_at,
      max(attempts) as attempts,
      case when bool_and(retry_at is not null) then min(retry_at) end as retry_at
    into v_merged
    from public.candle_gaps
    where instrument_id = p_instrument_id and timeframe = p_timeframe and state = 'open' and span <@ v_part;
    if v_merged.id is null then
      insert into public.candle_gaps (instrument_id, timeframe, span, cause, found_at)
      values (p_instrument_id, p_timeframe, v_part, p_cause, p_found_at);
    else
      delete from public.candle_gaps
      where instrument_id = p_instrument_id
        and timeframe = p_timeframe
        and state = 'open'
        and span <@ v_part
        and id <> v_merged.id;
      update public.candle_gaps
      set
        span = v_part,
        found_at = v_merged.found_at,
        attempts = v_merged.attempts,
        retry_at = v_merged.retry_at,
        worker = null
      where id = v_merged.id;
    end if;
    v_changed := v_changed + 1;
  end loop;
  return v_changed;
end
$$;

-- As claim_gaps_v1, but ordered history only after everything else that is due.
create function public.claim_gaps_v2(
  p_worker text, p_now timestamptz, p_lease_seconds double precision, p_limit integer, p_exchange text default null
) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_limit_max constant integer := 10000;
  c_lease_seconds_max constant integer := 86400;
  v_ids bigint[];
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  if coalesce(p_lease_seconds, 0) <= 0 or p_lease_seconds > c_lease_seconds_max or coalesce(p_worker, '') = ''
    or p_now is null or not isfinite(p_now)
  then
    raise exception 'p_worker, p_now, p_lease_seconds: a name, some time, a lease of at most % seconds',
      c_lease_seconds_max
      using errcode = 'invalid_parameter_value';
  end if;
  with due as materialized (
    select gap.id
    from public.candle_gaps as gap
    where gap.state in ('open', 'leased')
      and case
        when gap.state = 'open' then gap.retry_at is null or gap.retry_at <= p_now
        else gap.lease_until <= p_now
      end
      and (
        p_exchange is null
        or gap.instrument_id in (select id from public.instruments where exchange = p_exchange)
      )
    order by gap.cause = 'history', upper(gap.span) desc, lower(gap.span) desc, gap.id
    limit p_limit
    for update skip locked
  ), leased as (
    update public.candle_gaps as gap
    set
      state = 'leased',
      worker = p_worker,
      attempts = gap.attempts + 1,
      lease_until = p_now + make_interval(secs => p_lease_seconds),
      retry_at = null
    from due
    where gap.id = due.id
    returning gap.id
  )
  select array_agg(id) into v_ids from leased;
  return (
    select coalesce(
      json_agg(listed order by listed.cause = 'history', listed."end" desc, listed.start desc, listed.id), '[]'
    )
    from (select * from public.gaps_v where id = any (v_ids)) as listed
  );
end
$$;

-- The order in which gaps are claimed.
create index candle_gaps_to_claim_v2
  on public.candle_gaps ((cause = 'history'), upper(span) desc, lower(span) desc, id)
  where state in ('open', 'leased');

-- As release_gap_v1; p_untouched are parts that nobody got to: they stay open too, each a gap of its own, due at once and
-- with nothing said against them.
create function public.release_gap_v2(
  p_id bigint,
  p_worker text,
  p_attempts integer,
  p_now timestamptz,
  p_retry_at timestamptz,
  p_reason text default '',
  p_remaining tstzmultirange default null,
  p_untouched tstzmultirange default '{}'
) returns boolean
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_gap public.candle_gaps;
  v_remaining tstzmultirange;
  v_untouched tstzmultirange;
  v_first record;
begin
  if not isfinite(p_now) or not isfinite(p_retry_at) or p_now is null or p_retry_at is null or p_untouched is null then
    raise exception 'p_now, p_retry_at, p_untouched: some time' using errcode = 'invalid_parameter_value';
  end if;
  perform internal.lock_gaps(instrument_id) from public.candle_gaps where id = p_id;
  select * into v_gap
  from public.candle_gaps
  where id = p_id and worker = p_worker and attempts = p_attempts;
  if not found then
    return false;
  end if;
  v_untouched := internal.whole_buckets(p_untouched, v_gap.timeframe) * tstzmultirange(v_gap.span);
  if p_remaining is null then
    v_remaining := tstzmultirange(v_gap.span);
  else
    v_remaining := internal.whole_buckets(p_remaining, v_gap.timeframe) * tstzmultirange(v_gap.span);
  end if;
  v_remaining := v_remaining - v_untouched;
  if v_gap.state <> 'leased' then
    -- Said again by one who did not hear the answer, if the ledger says what was said.
    return case
      when isempty(coalesce(p_remaining, '{(,)}')) and isempty(p_untouched) then v_gap.state = 'filled'
      else v_gap.state = 'open' and coalesce(v_gap.retry_at, p_retry_at) = p_retry_at
    end;
  end if;
  if isempty(v_remaining) and isempty(v_untouched) then
    update public.candle_gaps
    set state = 'filled', lease_until = null, retry_at = null, repaired_at = p_now, reason = ''
    where id = p_id;
    return true;
  end if;
  select piece.span, piece.remains into v_first
  from (
    select part as span, true as remains from unnest(v_remaining) as part
    union all
    select part, false from unnest(v_untouched) as part
  ) as piece
  order by piece.span
  limit 1;
  update public.candle_gaps
  set
    state = 'open',
    span = v_first.span,
    lease_until = null,
    retry_at = case when v_first.remains then p_retry_at end,
    reason = case when v_first.remains then left(coalesce(p_reason, ''), 300) else '' end
  where id = p_id;
  insert into public.candle_gaps
    (instrument_id, timeframe, span, state, cause, found_at, attempts, worker, retry_at, repaired_at, reason)
  select
    v_gap.instrument_id,
    v_gap.timeframe,
    piece.span,
    case when piece.filled then 'filled' else 'open' end,
    v_gap.cause,
    v_gap.found_at,
    v_gap.attempts,
    v_gap.worker,
    case when piece.remains then p_retry_at end,
    case when piece.filled then p_now end,
    case when piece.remains then left(coalesce(p_reason, ''), 300) else '' end
  from (
    select part as span, true as remains, false as filled from unnest(v_remaining) as part
    union all
    select part, false, false from unnest(v_untouched) as part
    union all
    select part, false, true
    from unnest(tstzmultirange(v_gap.span) - v_remaining - v_untouched) as part
  ) as piece
  where piece.span <> v_first.span
  order by piece.filled, piece.span;
  return true;
end
$$;

-- The minutes of active instruments in [p_now - p_history, the minute in which the instrument became known here) that
-- are neither held nor known to be empty, as of the last drain, and were never on the ledger. The newest p_limit spans,
-- as find_gaps_v1 gives them.
create function public.find_history_v1(p_now timestamptz, p_history interval, p_limit integer default 10000) returns json
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
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  v_start := internal.next_bucket(p_now - p_history, 1);
  if v_start is null or not isfinite(v_start) then
    raise exception 'p_now, p_history: some time' using errcode = 'invalid_parameter_value';
  end if;
  return (
    with wanted as (
      select id, least(internal.bucket(created_at, 1), internal.bucket(p_now, 1)) as ends
      from public.instruments
      where active and internal.bucket(created_at, 1) > v_start and internal.bucket(p_now, 1) > v_start
    ), missing as (
      select wanted.id, lower(part) as starts, upper(part) as ends
      from wanted
      cross join lateral (
        select coalesce(range_agg(span), '{}') as times
        from public.candle_gaps
        where instrument_id = wanted.id and timeframe = 1
      ) as ever
      cross join lateral (
        select coalesce(range_agg(covered), '{}') + coalesce(range_agg(empty), '{}') as times
        from public.coverage
        where instrument_id = wanted.id
          and timeframe = 1
          and month >= date_trunc('month', v_start)::date
          and month <= wanted.ends::date
      ) as known
      cross join lateral unnest(tstzmultirange(tstzrange(v_start, wanted.ends)) - ever.times - known.times) as part
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

revoke all on function
  public.record_gaps_v2(smallint, smallint, tstzmultirange, text, timestamptz),
  public.claim_gaps_v2(text, timestamptz, double precision, integer, text),
  public.release_gap_v2(bigint, text, integer, timestamptz, timestamptz, text, tstzmultirange, tstzmultirange),
  public.find_history_v1(timestamptz, interval, integer)
from public, anon, authenticated, service_role;

grant execute on function
  public.record_gaps_v2(smallint, smallint, tstzmultirange, text, timestamptz),
  public.claim_gaps_v2(text, timestamptz, double precision, integer, text),
  public.release_gap_v2(bigint, text, integer, timestamptz, timestamptz, text, tstzmultirange, tstzmultirange),
  public.find_history_v1(timestamptz, interval, integer)
to service_role;
