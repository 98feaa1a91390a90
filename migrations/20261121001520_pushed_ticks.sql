-- Trades that others push: markets that nobody can be asked about, ticks whose taker is not told, answers kept for a
-- request that is sent again, and the newest ticks first.

-- Whether somebody can be asked about what is missing. The ticks that arrive at the webhook are all there is of a market:
-- what they lack is no gap, because nobody could fill it.
create function internal.has_a_past(p_exchange text) returns boolean
language sql
immutable
set search_path = ''
as $$
  select p_exchange not in ('webhook', 'webhook-simulated')
$$;

-- The minutes of active instruments of exchanges with a past that are wanted, and neither held, known to be empty nor
-- on the ledger, as of the last drain: set subtraction on the coverage. Wanted is, inside the whole minutes of [p_now -
-- p_history, p_now - p_grace), what came since the instrument is known here, and whatever was on the ledger before.
-- What is unresolved, unrecoverable or of a closed market is spoken for. The newest p_limit spans, as columns ordered
-- by instrument and time; microseconds since the epoch.
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
      where active
        and internal.has_a_past(exchange)
        and (p_instrument_id is null or id = p_instrument_id)
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

-- The minutes of active instruments of exchanges with a past in [p_now - p_history, the minute in which the instrument
-- became known here) that are neither held nor known to be empty, as of the last drain, and were never on the ledger.
-- The newest p_limit spans, as find_gaps_v1 gives them.
create or replace function public.find_history_v1(p_now timestamptz, p_history interval, p_limit integer default 10000) returns json
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
      where active
        and internal.has_a_past(exchange)
        and internal.bucket(created_at, 1) > v_start
        and internal.bucket(p_now, 1) > v_start
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

-- Who pushes a tick need not know who took.
alter table public.ticks alter column taker_buy drop not null;

comment on column public.ticks.taker_buy is 'the side of the taker, the aggressor; null where nobody said';

-- As get_trades_v1, and with p_newest_first the newest in descending order.
create function public.get_trades_v2(
  p_instrument_id smallint,
  p_start timestamptz,
  p_end timestamptz,
  p_limit integer default 500,
  p_newest_first boolean default false
) returns json
language plpgsql
stable
set search_path = ''
set max_parallel_workers_per_gather = 0
as $$
declare
  c_limit_max constant integer := 10000;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    select json_build_object(
      'time', coalesce(json_agg((extract(epoch from time) * 1000000)::bigint), '[]'),
      'trade_id', coalesce(json_agg(trade_id), '[]'),
      'price', coalesce(json_agg(price::text), '[]'),
      'size', coalesce(json_agg(size::text), '[]'),
      'taker_buy', coalesce(json_agg(taker_buy), '[]'),
      'count', coalesce(json_agg(count), '[]')
    )
    -- Only one of the two is run; either comes in order, straight from the primary key.
    from (
      (
        select *
        from public.ticks
        where not p_newest_first
          and instrument_id = p_instrument_id
          and time >= coalesce(p_start, '-infinity')
          and time < coalesce(p_end, 'infinity')
        order by time, trade_id
        limit p_limit
      )
      union all
      (
        select *
        from public.ticks
        where p_newest_first
          and instrument_id = p_instrument_id
          and time >= coalesce(p_start, '-infinity')
          and time < coalesce(p_end, 'infinity')
        order by time desc, trade_id desc
        limit p_limit
      )
    ) as trade
  );
end
$$;

-- What was answered to requests that carried a key of their own, for a day: a request that is sent again is answered the
-- same. `caller` and `fingerprint` are digests.
create table public.kept_answers (
  caller      text not null,
  key         text not null,
  fingerprint text not null,
  answer      text not null,
  created_at  timestamptz not null,
  primary key (caller, key),
  constraint keys_say_something
    check (length(caller) between 1 and 100 and length(key) between 1 and 255 and length(fingerprint) between 1 and 100)
);

create index kept_answers_by_age on public.kept_answers (created_at);

-- Keeps an answer unless there is one, and forgets at most 1,000 that are older than a day. Returns what is kept now,
-- as recall_answer_v1 does.
create function public.keep_answer_v1(
  p_caller text, p_key text, p_fingerprint text, p_answer text, p_now timestamptz
) returns json
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from public.kept_answers
  where (caller, key) in (
    select caller, key
    from public.kept_answers
    where created_at < p_now - interval '1 day'
    order by created_at
    limit 1000
    for update skip locked
  );
  insert into public.kept_answers (caller, key, fingerprint, answer, created_at)
  values (p_caller, p_key, p_fingerprint, p_answer, p_now)
  on conflict (caller, key) do nothing;
  return public.recall_answer_v1(p_caller, p_key, p_now);
end
$$;

-- What was answered to that request within a day, as a list of one; of none if nothing was.
create function public.recall_answer_v1(p_caller text, p_key text, p_now timestamptz) returns json
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(json_agg(json_build_object('fingerprint', fingerprint, 'answer', answer)), '[]')
  from public.kept_answers
  where caller = p_caller and key = p_key and created_at >= p_now - interval '1 day'
$$;

alter table public.kept_answers enable row level security;

revoke all on public.kept_answers from public, anon, authenticated, service_role;
grant select on public.kept_answers to service_role;

revoke all on function
  internal.has_a_past(text),
  public.get_trades_v2(smallint, timestamptz, timestamptz, integer, boolean),
  public.keep_answer_v1(text, text, text, text, timestamptz),
  public.recall_answer_v1(text, text, timestamptz)
from public, anon, authenticated, service_role;

grant execute on function
  public.get_trades_v2(smallint, timestamptz, timestamptz, integer, boolean),
  public.keep_answer_v1(text, text, text, text, timestamptz),
  public.recall_answer_v1(text, text, timestamptz)
to service_role;
