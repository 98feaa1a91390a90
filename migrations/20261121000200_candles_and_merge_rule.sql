-- Candles, the physics they obey, and the one rule by which reports of the same bucket merge.

-- One bucket of one instrument. Prices in quote currency, volume in base currency; numerics carry no precision, because
-- a fixed one rounds cheap coins to nothing. Fixed-width columns first: no alignment holes. A writer sends every column
-- but `revision`: in an upsert, a column left out keeps the value of the row already there.
create table public.candles (
  instrument_id    smallint not null,
  timeframe        smallint not null,
  source           smallint not null,
  derived          boolean not null default false,
  revision         integer not null default 1,
  trades           integer,
  open_time        timestamptz not null,
  observed_at      timestamptz not null default 'epoch',
  first_id         bigint,
  last_id          bigint,
  open             numeric not null,
  high             numeric not null,
  low              numeric not null,
  close            numeric not null,
  volume           numeric not null,
  quote_volume     numeric,
  taker_buy_volume numeric,
  primary key (instrument_id, timeframe, open_time),
  -- NaN sorts above Infinity, so an upper bound refuses both.
  constraint prices_are_possible
    check (low > 0 and low <= least(open, close) and high >= greatest(open, close) and high < 'Infinity'),
  constraint volumes_are_possible
    check (
      volume >= 0 and volume < 'Infinity'
      and quote_volume >= 0 and quote_volume < 'Infinity'
      and taker_buy_volume >= 0 and taker_buy_volume <= volume
    ),
  constraint counts_are_possible
    check (trades >= 0 and last_id >= first_id),
  -- 2001-01-01 was a Monday: weeks begin there.
  constraint buckets_are_aligned
    check (
      isfinite(open_time)
      and open_time = date_bin(timeframe * interval '1 minute', open_time, '2001-01-01 00:00:00+00')
    ),
  constraint observed_at_some_time
    check (isfinite(observed_at)),
  constraint source_is_a_rank
    check (source between 1 and 5)
) partition by list (timeframe);

comment on column public.candles.source is
  '1 partial, 2 live, 3 venue, 4 proven, 5 manual: a row never replaces one of a higher rank';
comment on column public.candles.observed_at is
  'orders equal ranks: when an exchange was asked; the epoch for candles built from trades, which merge field by field';
comment on column public.candles.derived is
  'rolled up from finer candles by the drainer, not reported by anyone';
comment on column public.candles.revision is
  'how many states this row has had; counted here, whatever a writer sends';

-- No default partitions: rows in one would forbid the month that they belong to.
create table parts.candles_1m partition of public.candles for values in (1) partition by range (open_time);
create table parts.candles_5m partition of public.candles for values in (5) partition by range (open_time);
create table parts.candles_15m_and_up partition of public.candles for values in (15, 60, 240, 720, 1440, 10080);

-- A first report is the first revision.
create function internal.first_revision() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.revision := 1;
  return new;
end
$$;

create trigger first_revision
  before insert on public.candles
  for each row
  when (new.revision is distinct from 1)
  execute function internal.first_revision();

-- The merge rule, for every writer. The higher (source, observed_at) wins whole. Equal ones join field by field; a
-- report wins over a rolled up row. A rolled up row replaces a rolled up row: the single drainer computed it anew. A
-- row that would not change is not written: no dead tuple, no entry in the queue. Commutative, associative and
-- idempotent over all columns but `revision`; its twin in Python is marketdata/compute/merge.py.
create function internal.merge_candle() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  c_no_first constant bigint := 9223372036854775807;
  c_no_last constant bigint := -9223372036854775808;
begin
  if (new.instrument_id, new.timeframe, new.open_time)
    is distinct from (old.instrument_id, old.timeframe, old.open_time)
  then
    raise exception 'a candle keeps its instrument, timeframe and open time: insert another one and delete this'
      using errcode = 'check_violation';
  end if;
  if not (new.derived and old.derived) then
    if (new.source, new.observed_at) < (old.source, old.observed_at) then
      return null;
    end if;
    if (new.source, new.observed_at) = (old.source, old.observed_at) then
      if new.derived then
        return null;
      end if;
      -- Two equally trusted reports: each may have seen what the other missed. Open is that of the smallest trade id,
      -- close that of the largest; a report without ids loses to one with; ties go to the smaller open, the larger
      -- close.
      if not old.derived then
        if (coalesce(old.first_id, c_no_first), old.open) < (coalesce(new.first_id, c_no_first), new.open) then
          new.open := old.open;
        end if;
        if (coalesce(old.last_id, c_no_last), old.close) > (coalesce(new.last_id, c_no_last), new.close) then
          new.close := old.close;
        end if;
        new.first_id := least(old.first_id, new.first_id);
        new.last_id := greatest(old.last_id, new.last_id);
        new.high := greatest(old.high, new.high);
        new.low := least(old.low, new.low);
        new.volume := greatest(old.volume, new.volume);
        new.quote_volume := greatest(old.quote_volume, new.quote_volume);
        new.taker_buy_volume := greatest(old.taker_buy_volume, new.taker_buy_volume);
        new.trades := greatest(old.trades, new.trades);
      end if;
    end if;
  end if;
  new.revision := old.revision;
  if new is not distinct from old then
    return null;
  end if;
  new.revision := old.revision + 1;
  return new;
end
$$;

create trigger merge_candle
  before update on public.candles
  for each row execute function internal.merge_candle();

-- Makes the monthly partitions of 1m and the yearly ones of 5m that [p_from, p_to) needs; returns how many were new.
-- Each is made beside its parent and then attached: `create table … partition of` would lock out every reader
-- meanwhile.
create function internal.ensure_candle_partitions(p_from timestamptz, p_to timestamptz) returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_start timestamptz;
  v_made integer := 0;
begin
  for v_start in
    select generate_series(date_trunc('month', p_from), p_to - interval '1 microsecond', interval '1 month')
  loop
    v_made := v_made + internal.ensure_partition(
      'parts.candles_1m', to_char(v_start, '"candles_1m_"YYYYMM'), v_start, v_start + interval '1 month'
    );
  end loop;
  for v_start in
    select generate_series(date_trunc('year', p_from), p_to - interval '1 microsecond', interval '1 year')
  loop
    v_made := v_made + internal.ensure_partition(
      'parts.candles_5m', to_char(v_start, '"candles_5m_"YYYY'), v_start, v_start + interval '1 year'
    );
  end loop;
  return v_made;
end
$$;

-- Makes parts.<p_name>, the partition of p_parent for [p_start, p_end), unless it is there; returns 1 if it was new,
-- else 0.
create function internal.ensure_partition(p_parent regclass, p_name text, p_start timestamptz, p_end timestamptz)
returns integer
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform pg_advisory_xact_lock(hashtext('market data: ensure partitions'));
  if to_regclass(format('parts.%I', p_name)) is not null then
    return 0;
  end if;
  execute format('create table parts.%I (like %s including defaults including constraints)', p_name, p_parent);
  execute format(
    'alter table %s attach partition parts.%I for values from (%L) to (%L)', p_parent, p_name, p_start, p_end
  );
  return 1;
end
$$;

-- "All instruments, one day" reads a month through this index of a few pages; the primary key serves everything else.
create index candles_1m_by_time on parts.candles_1m
  using brin (open_time) with (pages_per_range = 32, autosummarize = on);
