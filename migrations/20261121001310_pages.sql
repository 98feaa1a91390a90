-- An answer in one round trip: candles, and what is known of the time in which none is held whole.

-- A page of candles as get_candles_v1 gives it, and what there is to say of what it lacks. Looked at are the whole
-- buckets from p_start (null: from the oldest candle of the page), or from where the page was cut by p_limit, up to
-- p_end (or the cut), none that closes after p_settled. All in microseconds since the epoch:
-- {"candles": {columns},
--  "empty":   [[start, end], …]  time without a candle that is known to be empty, by the minute,
--  "lacking": [[start, end], …]  minutes neither held nor known to be empty inside candles held in part: the first
--                                thousand, "lacking_total" of them,
--  "gaps":    {"start": [], "end": [], "state": [], "reason": []}  what the ledger says of that time, oldest first: at
--                                most a thousand gaps, "gaps_cut" if there are more}.
-- Coverage is as of the last drain. Arithmetic of buckets is out of readers' reach, hence the owner's rights; all that is
-- told is everybody's to read. Where the page has all there is to hold, neither coverage nor ledger is read.
create function public.read_candles_v1(
  p_instrument_id smallint,
  p_timeframe smallint,
  p_settled timestamptz,
  p_start timestamptz default null,
  p_end timestamptz default null,
  p_limit integer default 500,
  p_newest_first boolean default false
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
  c_listed_max constant integer := 1000;
  c_length constant interval := make_interval(mins => p_timeframe);
  v_candles json;
  v_count integer;
  v_oldest timestamptz;
  v_newest timestamptz;
  v_held tstzmultirange;
  v_parts tstzmultirange;
  v_from timestamptz;
  v_to timestamptz;
  v_absent tstzmultirange := '{}';
  v_empty tstzmultirange := '{}';
  v_covered tstzmultirange := '{}';
  v_lacking tstzmultirange := '{}';
  v_listed json := '[]';
  v_gaps json := '{"start":[],"end":[],"state":[],"reason":[]}';
  v_gaps_cut boolean := false;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  if p_settled is null or not isfinite(p_settled) then
    raise exception 'p_settled: some time' using errcode = 'invalid_parameter_value';
  end if;
  select
    json_build_object(
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
    ),
    count(*),
    min(open_time),
    max(open_time),
    coalesce(range_agg(tstzrange(open_time, open_time + c_length)), '{}'),
    coalesce(range_agg(tstzrange(open_time, open_time + c_length)) filter (where source = 1), '{}')
  into v_candles, v_count, v_oldest, v_newest, v_held, v_parts
  -- Only one of the two is run; either comes in order, straight from the primary key.
  from (
    (
      select *
      from public.candles
      where not p_newest_first
        and instrument_id = p_instrument_id
        and timeframe = p_timeframe
        and open_time >= coalesce(p_start, '-infinity')
        and open_time < coalesce(p_end, 'infinity')
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
        and open_time >= coalesce(p_start, '-infinity')
        and open_time < coalesce(p_end, 'infinity')
      order by open_time desc
      limit p_limit
    )
  ) as candle;

  -- What of the question this page answers, in whole buckets that are settled.
  v_to := internal.bucket(p_settled, p_timeframe);
  if p_end < v_to then
    v_to := least(v_to, internal.next_bucket(p_end, p_timeframe));
  end if;
  v_from := internal.next_bucket(coalesce(p_start, v_oldest), p_timeframe);
  if v_count = p_limit and p_newest_first then
    v_from := v_oldest;
  elsif v_count = p_limit then
    v_to := least(v_to, v_newest + c_length);
  end if;
  if v_from < v_to then
    v_absent := tstzmultirange(tstzrange(v_from, v_to)) - v_held;
    v_parts := v_parts * tstzmultirange(tstzrange(v_from, v_to));
  else
    v_parts := '{}';
  end if;
  if not isempty(v_absent) or not isempty(v_parts) then
    select coalesce(range_agg(empty), '{}'), coalesce(range_agg(covered), '{}')
    into v_empty, v_covered
    from public.coverage
    where instrument_id = p_instrument_id
      and timeframe = 1
      and month >= date_trunc('month', v_from)::date
      and month <= v_to::date;
    v_lacking := v_parts - v_empty;
    if p_timeframe > 1 then
      v_lacking := v_lacking - v_covered;
    end if;
    v_empty := v_empty * v_absent;
    select coalesce(json_agg(json_build_array(
      (extract(epoch from lower(part)) * 1000000)::bigint, (extract(epoch from upper(part)) * 1000000)::bigint
    ) order by part), '[]')
    into v_listed
    from (select part from unnest(v_lacking) as part order by part limit c_listed_max) as first_ones;
    v_absent := v_absent - v_empty + v_lacking;
    if not isempty(v_absent) then
      select
        json_build_object(
          'start', coalesce(json_agg((extract(epoch from lower(span)) * 1000000)::bigint order by span, id)
            filter (where place <= c_listed_max), '[]'),
          'end', coalesce(json_agg((extract(epoch from upper(span)) * 1000000)::bigint order by span, id)
            filter (where place <= c_listed_max), '[]'),
          'state', coalesce(json_agg(state order by span, id) filter (where place <= c_listed_max), '[]'),
          'reason', coalesce(json_agg(reason order by span, id) filter (where place <= c_listed_max), '[]')
        ),
        count(*) > c_listed_max
      into v_gaps, v_gaps_cut
      from (
        select id, span, state, reason, row_number() over (order by span, id) as place
        from public.candle_gaps
        where instrument_id = p_instrument_id
          and timeframe = 1
          and span && v_absent
          and state in ('open', 'leased', 'unrecoverable', 'market_closed')
        order by span, id
        limit c_listed_max + 1
      ) as gap;
    end if;
  end if;
  return json_build_object(
    'candles', v_candles,
    'empty', (
      select coalesce(json_agg(json_build_array(
        (extract(epoch from lower(part)) * 1000000)::bigint, (extract(epoch from upper(part)) * 1000000)::bigint
      ) order by part), '[]')
      from unnest(v_empty) as part
    ),
    'lacking', v_listed,
    'lacking_total', (select count(*) from unnest(v_lacking)),
    'gaps', v_gaps,
    'gaps_cut', v_gaps_cut
  );
end
$$;

revoke all on function
  public.read_candles_v1(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean)
from public, anon, authenticated, service_role;

grant execute on function
  public.read_candles_v1(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean)
to anon, authenticated, service_role;
