-- Trades as the exchanges reported them, by day.

-- One trade, or an aggregate of `count` trades. A writer ignores what is there already (on conflict do nothing).
create table public.ticks (
  instrument_id smallint not null,
  taker_buy     boolean not null,
  count         integer not null default 1,
  time          timestamptz not null,
  trade_id      bigint not null,
  price         numeric not null,
  size          numeric not null,
  primary key (instrument_id, time, trade_id),
  constraint trades_are_possible
    check (
      price > 0 and price < 'Infinity'
      and size > 0 and size < 'Infinity'
      and count > 0
      and isfinite(time)
    )
) partition by range (time);

comment on column public.ticks.taker_buy is 'the side of the taker, the aggressor';

-- Refuses trades of instruments that are not there, once a statement: a foreign key would ask once a row.
create function internal.check_ticks() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_unknown smallint;
begin
  select instrument_id
  into v_unknown
  from (select distinct instrument_id from added) as written
  where not exists (select from public.instruments where id = written.instrument_id)
  limit 1;
  if found then
    raise exception 'there is no instrument %', v_unknown using errcode = 'foreign_key_violation';
  end if;
  return null;
end
$$;

create trigger check_ticks
  after insert on public.ticks
  referencing new table as added
  for each statement execute function internal.check_ticks();

-- An instrument with history stays: its number must not be given to another one.
create function internal.keep_instrument() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select from public.candles where instrument_id = old.id)
    or exists (select from public.ticks where instrument_id = old.id)
  then
    raise exception '% % has history: make it inactive, or delete its candles and ticks first', old.exchange, old.symbol
      using errcode = 'foreign_key_violation';
  end if;
  return old;
end
$$;

create trigger keep_instrument
  before delete on public.instruments
  for each row execute function internal.keep_instrument();

-- Makes the daily partitions of ticks that [p_from, p_to) needs, the oldest first and at most 100 of them, so that a busy
-- machine ends well inside the statement timeout; returns how many were new.
create function internal.ensure_tick_partitions(p_from timestamptz, p_to timestamptz) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_made_max constant integer := 100;
  v_day timestamptz;
  v_made integer := 0;
begin
  for v_day in
    select generate_series(date_trunc('day', p_from), p_to - interval '1 microsecond', interval '1 day')
  loop
    v_made := v_made + internal.ensure_partition(
      'public.ticks', to_char(v_day, '"ticks_"YYYYMMDD'), v_day, v_day + interval '1 day'
    );
    exit when v_made = c_made_max;
  end loop;
  return v_made;
end
$$;

-- Makes room for candles and ticks of [p_from, p_to), at most 20 years; returns how many partitions were new. A call
-- makes at most 100 days of ticks: for a longer span, call again until it returns 0.
create function public.ensure_partitions_v1(p_from timestamptz, p_to timestamptz) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  if p_from is null or p_to is null or not isfinite(p_from) or not isfinite(p_to) or p_from >= p_to then
    raise exception 'p_from, p_to: a span must begin before it ends' using errcode = 'invalid_parameter_value';
  end if;
  if p_to > p_from + interval '20 years' then
    raise exception 'p_from, p_to: at most 20 years a call' using errcode = 'invalid_parameter_value';
  end if;
  return internal.ensure_candle_partitions(p_from, p_to) + internal.ensure_tick_partitions(p_from, p_to);
end
$$;

-- Makes room ahead of time, as of now: candles for this month and the next three, ticks from yesterday (the last trades
-- before midnight arrive after it) to two weeks on. Returns how many partitions were new.
create function internal.premake_partitions() returns integer
language plpgsql
set search_path = ''
as $$
begin
  return internal.ensure_candle_partitions(now(), now() + interval '3 months')
    + internal.ensure_tick_partitions(now() - interval '1 day', now() + interval '14 days');
end
$$;

select internal.premake_partitions();
