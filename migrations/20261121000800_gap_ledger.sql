-- The gap ledger: which history is wanted and missing, who is at it, and what became of it. It is the queue of the
-- repairs too, so there is no other one.

create extension if not exists btree_gist with schema extensions;

-- One stretch of one instrument's buckets. An unresolved one (open or leased) is neither held nor known to be empty, and
-- overlaps no other unresolved one. (worker, attempts) tells one lease from every other; a zombie holds an old pair.
create table public.candle_gaps (
  id            bigint generated always as identity primary key,
  instrument_id smallint not null references public.instruments on delete cascade,
  timeframe     smallint not null references public.timeframes,
  attempts      integer not null default 0,
  span          tstzrange not null,
  found_at      timestamptz not null,
  lease_until   timestamptz,
  retry_at      timestamptz,
  repaired_at   timestamptz,
  state         text not null default 'open',
  cause         text not null,
  worker        text,
  reason        text not null default '',
  constraint state_is_known
    check (state in ('open', 'leased', 'filled', 'no_trades', 'market_closed', 'unrecoverable')),
  constraint span_is_whole_buckets
    check (
      not isempty(span) and lower_inc(span) and not upper_inc(span) and not upper_inf(span)
      and isfinite(lower(span)) and isfinite(upper(span))
      and lower(span) = internal.bucket(lower(span), timeframe)
      and upper(span) = internal.bucket(upper(span), timeframe)
    ),
  constraint cause_says_something
    check (length(cause) between 1 and 40),
  constraint reason_is_short
    check (length(reason) <= 300),
  constraint attempts_count
    check (attempts >= 0),
  constraint a_lease_has_a_holder_and_an_end
    check ((state = 'leased') = (lease_until is not null) and (state <> 'leased' or coalesce(worker, '') <> '')),
  constraint the_resolved_know_when
    check ((state in ('open', 'leased')) = (repaired_at is null)),
  constraint unresolved_gaps_do_not_overlap
    exclude using gist (instrument_id with =, timeframe with =, span with &&) where (state in ('open', 'leased'))
);

comment on column public.candle_gaps.cause is
  'what put it here: scan, disconnect, history, operator, import';
comment on column public.candle_gaps.retry_at is
  'an open gap is not leased before; null: at any time';
comment on column public.candle_gaps.repaired_at is
  'when it was resolved';

create index candle_gaps_to_claim on public.candle_gaps (upper(span) desc, lower(span) desc, id)
  where state in ('open', 'leased');
create index candle_gaps_by_instrument on public.candle_gaps (instrument_id, timeframe);

-- The ledger under the names of people and spreadsheets. `end` is excluded.
create view public.gaps_v with (security_invoker = true) as
select
  gap.id,
  instrument.exchange,
  instrument.symbol,
  frame.name as timeframe,
  lower(gap.span) as start,
  upper(gap.span) as "end",
  gap.state,
  gap.cause,
  gap.found_at,
  gap.attempts,
  gap.worker,
  gap.lease_until,
  gap.retry_at,
  gap.repaired_at,
  gap.reason
from public.candle_gaps as gap
join public.instruments as instrument on instrument.id = gap.instrument_id
join public.timeframes as frame on frame.minutes = gap.timeframe;

-- Whoever adds gaps of an instrument, or cuts them, does so alone, and finds the unresolved ones unmoved until the end of
-- the transaction.
create function internal.lock_gaps(p_instrument_id smallint) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtext('market data: gaps of an instrument'), p_instrument_id);
  perform from public.candle_gaps
  where instrument_id = p_instrument_id and state in ('open', 'leased')
  order by id
  for update;
end
$$;

-- Lets an open gap be what p_left leaves of it, in as many gaps as parts; what is not left is filled. The gap itself is
-- the first part.
create function internal.shrink_gap(p_id bigint, p_left tstzmultirange, p_now timestamptz) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_gap public.candle_gaps;
  v_left tstzmultirange;
  v_first tstzrange;
begin
  select * into strict v_gap from public.candle_gaps where id = p_id;
  v_left := p_left * tstzmultirange(v_gap.span);
  if isempty(v_left) then
    update public.candle_gaps
    set state = 'filled', retry_at = null, repaired_at = p_now, reason = ''
    where id = p_id;
    return;
  end if;
  select part into v_first from unnest(v_left) as part order by part limit 1;
  update public.candle_gaps set span = v_first where id = p_id;
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
    case when not piece.filled then v_gap.retry_at end,
    case when piece.filled then p_now end,
    case when piece.filled then '' else v_gap.reason end
  from (
    select part as span, false as filled from unnest(v_left) as part where part <> v_first
    union all
    select part, true from unnest(tstzmultirange(v_gap.span) - v_left) as part
  ) as piece
  order by piece.filled, piece.span;
end
$$;

-- The time of the whole buckets that p_spans touch.
create function internal.whole_buckets(p_spans tstzmultirange, p_minutes integer) returns tstzmultirange
language sql
immutable
parallel safe
return (
  select coalesce(
    range_agg(tstzrange(internal.bucket(lower(part), p_minutes), internal.next_bucket(upper(part), p_minutes))),
    '{}'::tstzmultirange
  )
  from unnest(p_spans) as part
);

-- Puts spans, widened to whole buckets, on the ledger as open gaps; returns how many were added or grew. What an
-- unresolved gap covers is not recorded twice; what touches or overlaps an open one is merged into it: the oldest stays,
-- with the most attempts and the earliest retry_at of those merged. At most 10,000 spans.
create function public.record_gaps_v1(
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
  select coalesce(range_agg(span), '{}'), coalesce(range_agg(span) filter (where state = 'open'), '{}')
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

-- At most p_limit gaps with an id above p_after_id, ordered by id, as one JSON array of rows of gaps_v, so that no cap
-- on rows cuts it. Null asks for every state, every instrument.
create function public.get_gaps_v1(
  p_states text[] default null,
  p_instrument_id smallint default null,
  p_after_id bigint default null,
  p_limit integer default 500
) returns json
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_limit_max constant integer := 10000;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    select coalesce(json_agg(listed order by listed.id), '[]')
    from (
      select *
      from public.gaps_v
      where id in (
        select id
        from public.candle_gaps
        where id > coalesce(p_after_id, 0)
          and (p_states is null or state = any (p_states))
          and (p_instrument_id is null or instrument_id = p_instrument_id)
        order by id
        limit p_limit
      )
    ) as listed
  );
end
$$;

-- Leases at most p_limit gaps to a worker: open ones whose retry_at has come, and leased ones whose lease ran out, newest
-- span first. Returns them as get_gaps_v1 does, newest span first. What another worker is just taking is passed by.
create function public.claim_gaps_v1(
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
    order by upper(gap.span) desc, lower(gap.span) desc, gap.id
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
    select coalesce(json_agg(listed order by listed."end" desc, listed.start desc, listed.id), '[]')
    from (select * from public.gaps_v where id = any (v_ids)) as listed
  );
end
$$;

-- Closes a leased gap for the holder of the lease; false when the lease was lost: then nothing changed. Said again, by
-- one who did not hear the answer, it is true and changes nothing.
create function public.resolve_gap_v1(
  p_id bigint, p_worker text, p_attempts integer, p_state text, p_now timestamptz, p_reason text default ''
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  if p_now is null or not isfinite(p_now)
    or p_state is null or p_state not in ('filled', 'no_trades', 'market_closed', 'unrecoverable')
  then
    raise exception 'p_state, p_now: % resolves nothing, or not at %', p_state, p_now using errcode = 'invalid_parameter_value';
  end if;
  update public.candle_gaps
  set
    state = p_state,
    lease_until = null,
    retry_at = null,
    repaired_at = p_now,
    reason = left(coalesce(p_reason, ''), 300)
  where id = p_id and state = 'leased' and worker = p_worker and attempts = p_attempts;
  return found or exists (
    select
    from public.candle_gaps
    where id = p_id and state = p_state and worker = p_worker and attempts = p_attempts
  );
end
$$;

-- Gives a leased gap back as open, not to be leased before p_retry_at; with p_remaining only those parts stay open and
-- the rest is filled. True and false as in resolve_gap_v1.
create function public.release_gap_v1(
  p_id bigint,
  p_worker text,
  p_attempts integer,
  p_now timestamptz,
  p_retry_at timestamptz,
  p_reason text default '',
  p_remaining tstzmultirange default null
) returns boolean
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_timeframe smallint;
begin
  if not isfinite(p_now) or not isfinite(p_retry_at) or p_now is null or p_retry_at is null then
    raise exception 'p_now, p_retry_at: some time' using errcode = 'invalid_parameter_value';
  end if;
  perform internal.lock_gaps(instrument_id) from public.candle_gaps where id = p_id;
  update public.candle_gaps
  set state = 'open', lease_until = null, retry_at = p_retry_at, reason = left(coalesce(p_reason, ''), 300)
  where id = p_id and state = 'leased' and worker = p_worker and attempts = p_attempts
  returning timeframe into v_timeframe;
  if not found then
    return exists (
      select
      from public.candle_gaps
      where id = p_id
        and worker = p_worker
        and attempts = p_attempts
        and case
          when isempty(coalesce(p_remaining, '{(,)}')) then state = 'filled'
          else state = 'open' and retry_at = p_retry_at
        end
    );
  end if;
  if p_remaining is not null then
    perform internal.shrink_gap(p_id, internal.whole_buckets(p_remaining, v_timeframe), p_now);
  end if;
  return true;
end
$$;

-- The minutes of active instruments that are wanted, and neither held, known to be empty nor on the ledger, as of the
-- last drain: set subtraction on the coverage. Wanted is, inside the whole minutes of [p_now - p_history, p_now -
-- p_grace), what came since the instrument is known here, and whatever was on the ledger before. What is unresolved,
-- unrecoverable or of a closed market is spoken for. The newest p_limit spans, as columns ordered by instrument and
-- time; microseconds since the epoch.
create function public.find_gaps_v1(
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
  return (
    with followed as (
      select
        id,
        least(v_end, greatest(v_start, internal.bucket(created_at, 1))) as starts
      from public.instruments
      where active and (p_instrument_id is null or id = p_instrument_id) and v_start < v_end
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

-- Takes what is held or known to be empty by now, as of the last drain, off the gaps that nobody holds: of which nothing
-- is left are filled, others shrink, in as many gaps as parts are left. Returns how many gaps changed, at most 10,000.
create function public.close_covered_gaps_v1(p_now timestamptz) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_changed_max constant integer := 10000;
  v_gap record;
  v_changed integer := 0;
begin
  if p_now is null or not isfinite(p_now) then
    raise exception 'p_now: some time' using errcode = 'invalid_parameter_value';
  end if;
  for v_gap in
    select gap.id, gap.instrument_id, gap.span, tstzmultirange(gap.span) - known.times as remaining
    from public.candle_gaps as gap
    cross join lateral (
      select coalesce(range_agg(covered), '{}') + coalesce(range_agg(empty), '{}') as times
      from public.coverage
      where instrument_id = gap.instrument_id
        and timeframe = gap.timeframe
        and month >= date_trunc('month', lower(gap.span))::date
        and month <= upper(gap.span)::date
    ) as known
    where gap.state in ('open', 'leased')
      and (gap.state = 'open' or gap.lease_until <= p_now)
      and known.times && gap.span
    -- Locks are taken in the order of instruments, so that nobody waits in a circle.
    order by gap.instrument_id, gap.id
    limit c_changed_max
  loop
    perform internal.lock_gaps(v_gap.instrument_id);
    update public.candle_gaps
    set state = 'open', worker = null, lease_until = null
    where id = v_gap.id and span = v_gap.span and (state = 'open' or (state = 'leased' and lease_until <= p_now));
    if found then
      perform internal.shrink_gap(v_gap.id, v_gap.remaining, p_now);
      v_changed := v_changed + 1;
    end if;
  end loop;
  return v_changed;
end
$$;

-- Everybody reads the ledger: what is missing is no secret. The service role moves it, by these functions alone.
alter table public.candle_gaps enable row level security;

create policy everyone_reads on public.candle_gaps for select to anon, authenticated using (true);

revoke all on public.candle_gaps, public.gaps_v from public, anon, authenticated, service_role;

grant select on public.candle_gaps, public.gaps_v to anon, authenticated, service_role;

revoke all on function
  internal.lock_gaps(smallint),
  internal.shrink_gap(bigint, tstzmultirange, timestamptz),
  internal.whole_buckets(tstzmultirange, integer),
  public.record_gaps_v1(smallint, smallint, tstzmultirange, text, timestamptz),
  public.get_gaps_v1(text[], smallint, bigint, integer),
  public.claim_gaps_v1(text, timestamptz, double precision, integer, text),
  public.resolve_gap_v1(bigint, text, integer, text, timestamptz, text),
  public.release_gap_v1(bigint, text, integer, timestamptz, timestamptz, text, tstzmultirange),
  public.find_gaps_v1(timestamptz, interval, interval, smallint, integer),
  public.close_covered_gaps_v1(timestamptz)
from public, anon, authenticated, service_role;

grant execute on function
  public.record_gaps_v1(smallint, smallint, tstzmultirange, text, timestamptz),
  public.claim_gaps_v1(text, timestamptz, double precision, integer, text),
  public.resolve_gap_v1(bigint, text, integer, text, timestamptz, text),
  public.release_gap_v1(bigint, text, integer, timestamptz, timestamptz, text, tstzmultirange),
  public.find_gaps_v1(timestamptz, interval, interval, smallint, integer),
  public.close_covered_gaps_v1(timestamptz)
to service_role;

grant execute on function public.get_gaps_v1(text[], smallint, bigint, integer) to anon, authenticated, service_role;
