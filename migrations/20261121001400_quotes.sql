-- Quotes as the exchanges reported them, by month: bulk imports bring months, and load each beside its parent.

-- One quote. Many share a time: `ordinal` counts those in the exchange's order. A writer ignores what is there already
-- (on conflict do nothing).
create table public.quotes (
  instrument_id smallint not null,
  ordinal       smallint not null default 0,
  time          timestamptz not null,
  bid           numeric not null,
  ask           numeric not null,
  bid_size      numeric,
  ask_size      numeric,
  primary key (instrument_id, time, ordinal),
  -- A bid above its ask is possible: it was seen.
  constraint quotes_are_possible
    check (
      bid > 0 and bid < 'Infinity'
      and ask > 0 and ask < 'Infinity'
      and bid_size >= 0 and bid_size < 'Infinity'
      and ask_size >= 0 and ask_size < 'Infinity'
      and ordinal >= 0
      and isfinite(time)
    )
) partition by range (time);

comment on column public.quotes.ordinal is
  'which of the quotes of one time, in the order of the exchange';

create trigger check_quotes
  after insert on public.quotes
  referencing new table as added
  for each statement execute function internal.check_ticks();

-- An instrument with history stays: its number must not be given to another one.
create or replace function internal.keep_instrument() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select from public.candles where instrument_id = old.id)
    or exists (select from public.ticks where instrument_id = old.id)
    or exists (select from public.quotes where instrument_id = old.id)
  then
    raise exception '% % has history: make it inactive, or delete its candles, ticks and quotes first',
      old.exchange, old.symbol
      using errcode = 'foreign_key_violation';
  end if;
  return old;
end
$$;

-- At most p_limit quotes with p_start <= time < p_end, in the exchange's order, as columns in the manner of
-- get_trades_v1.
create function public.get_quotes_v1(
  p_instrument_id smallint, p_start timestamptz, p_end timestamptz, p_limit integer default 500
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
      'ordinal', coalesce(json_agg(ordinal), '[]'),
      'bid', coalesce(json_agg(bid::text), '[]'),
      'ask', coalesce(json_agg(ask::text), '[]'),
      'bid_size', coalesce(json_agg(bid_size::text), '[]'),
      'ask_size', coalesce(json_agg(ask_size::text), '[]')
    )
    from (
      select *
      from public.quotes
      where instrument_id = p_instrument_id
        and time >= coalesce(p_start, '-infinity')
        and time < coalesce(p_end, 'infinity')
      order by time, ordinal
      limit p_limit
    ) as quote
  );
end
$$;

-- Queues the time of an instrument's reported minutes of a partition that was loaded beside its parent: the triggers of
-- the parent do not see those.
create function internal.queue_loaded(p_partition regclass) returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format(
    'insert into internal.dirty (instrument_id, minutes, times)'
    ' select instrument_id, sum(timeframe),'
    ' range_agg(tstzrange(open_time, open_time + make_interval(mins => timeframe)))'
    ' from %s group by instrument_id, date_trunc(''day'', open_time, ''UTC'') order by min(open_time), instrument_id',
    p_partition
  );
end
$$;

alter table public.quotes enable row level security;

revoke all on public.quotes from public, anon, authenticated, service_role;
-- Imports write as the owner.
grant select on public.quotes to service_role;

revoke all on function
  internal.queue_loaded(regclass),
  public.get_quotes_v1(smallint, timestamptz, timestamptz, integer)
from public, anon, authenticated, service_role;

grant execute on function public.get_quotes_v1(smallint, timestamptz, timestamptz, integer) to service_role;
