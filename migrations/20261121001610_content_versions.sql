-- What a page of candles says, as one short word: equal words, equal pages. A client that names the word of the copy it
-- has is told that nothing changed without any row being carried to it.

-- The version of the page that read_candles_v1 gives for the same arguments: `count-revision-digest`, where `revision` is
-- the highest of its candles. The digest is of the candles with their revisions, in any order, and, where they leave a
-- hole or are held in part, of what coverage and ledger say of that time; so that a repair changes it, and a write to
-- other time, another instrument or another timeframe does not. (Count and highest revision alone would miss a second
-- revision of a candle beside one with a third.) One range of the primary key is read; nothing of it leaves.
create function public.candles_version_v1(
  p_instrument_id smallint,
  p_timeframe smallint,
  p_settled timestamptz,
  p_start timestamptz default null,
  p_end timestamptz default null,
  p_limit integer default 500,
  p_newest_first boolean default false
) returns text
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
  c_length constant interval := make_interval(mins => p_timeframe);
  v_count integer;
  v_revision integer;
  v_digest numeric;
  v_oldest timestamptz;
  v_newest timestamptz;
  v_whole boolean;
  v_from timestamptz;
  v_to timestamptz;
  v_window tstzrange;
  v_known text := '';
  v_named numeric := 0;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  if p_settled is null or not isfinite(p_settled) then
    raise exception 'p_settled: some time' using errcode = 'invalid_parameter_value';
  end if;
  select
    count(*),
    coalesce(max(revision), 0),
    coalesce(sum(hash_record_extended(candle, 0)), 0),
    min(open_time),
    max(open_time),
    coalesce(bool_and(source > 1), true)
  into v_count, v_revision, v_digest, v_oldest, v_newest, v_whole
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

  -- What of the question the page answers, as read_candles_v1 has it.
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
  v_whole := v_whole
    and v_oldest <= v_from
    and v_newest + c_length >= v_to
    and v_newest + c_length - v_oldest = v_count * c_length;
  if v_from < v_to and v_whole is not true then
    v_window := tstzrange(v_from, v_to);
    select (coalesce(range_agg(empty), '{}') * tstzmultirange(v_window))::text
      || case when p_timeframe > 1 then (coalesce(range_agg(covered), '{}') * tstzmultirange(v_window))::text else '' end
    into v_known
    from public.coverage
    where instrument_id = p_instrument_id
      and timeframe = 1
      and month >= date_trunc('month', v_from)::date
      and month <= v_to::date;
    select coalesce(sum(hashtextextended(concat_ws('|', id, state, reason, span), 0)), 0)
    into v_named
    from public.candle_gaps
    where instrument_id = p_instrument_id
      and timeframe = 1
      and span && v_window
      and state in ('open', 'leased', 'unrecoverable', 'market_closed');
  end if;
  return v_count || '-' || v_revision || '-' || md5(concat_ws('|', v_digest, v_known, v_named));
end
$$;

-- A page and its version, of one moment.
create function public.read_candles_v2(
  p_instrument_id smallint,
  p_timeframe smallint,
  p_settled timestamptz,
  p_start timestamptz default null,
  p_end timestamptz default null,
  p_limit integer default 500,
  p_newest_first boolean default false
) returns json
language sql
stable
set search_path = ''
as $$
  select json_build_object(
    'page',
    public.read_candles_v1(p_instrument_id, p_timeframe, p_settled, p_start, p_end, p_limit, p_newest_first),
    'version',
    public.candles_version_v1(p_instrument_id, p_timeframe, p_settled, p_start, p_end, p_limit, p_newest_first)
  )
$$;

revoke all on function
  public.candles_version_v1(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean),
  public.read_candles_v2(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean)
from public, anon, authenticated, service_role;

grant execute on function
  public.candles_version_v1(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean),
  public.read_candles_v2(smallint, smallint, timestamptz, timestamptz, timestamptz, integer, boolean)
to anon, authenticated, service_role;
