-- Ticks of markets that are only pushed: kept and counted in one question, and folded where they are.

-- Ticks as JSON has them, each with its place from 1.
create function internal.told_ticks(p_ticks json)
returns table (
  place bigint, instrument_id smallint, "time" timestamptz, trade_id bigint, price numeric, size numeric, taker_buy boolean,
  count integer
)
language sql
stable
set search_path = ''
as $$
  select
    given.place,
    (given.tick ->> 'instrument_id')::smallint,
    (given.tick ->> 'time')::timestamptz,
    (given.tick ->> 'trade_id')::bigint,
    (given.tick ->> 'price')::numeric,
    (given.tick ->> 'size')::numeric,
    (given.tick ->> 'taker_buy')::boolean,
    (given.tick ->> 'count')::integer
  from json_array_elements(p_ticks) with ordinality as given (tick, place)
$$;

-- Keeps ticks that are not there yet, and says of each, in the order given, what became of it: 0 kept, 1 there already, 2
-- there already with another price, size, taker or count. Of ticks alike in one call the first is kept.
create function public.keep_ticks_v1(p_ticks json) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_kept bigint[];
begin
  -- Writers that lock rows in one order cannot deadlock.
  with told as (
    select distinct on (instrument_id, time, trade_id) *
    from internal.told_ticks(p_ticks)
    order by instrument_id, time, trade_id, place
  ), added as (
    insert into public.ticks (instrument_id, time, trade_id, price, size, taker_buy, count)
    select instrument_id, time, trade_id, price, size, taker_buy, count
    from told
    order by instrument_id, time, trade_id
    on conflict (instrument_id, time, trade_id) do nothing
    returning instrument_id, time, trade_id
  )
  select coalesce(array_agg(told.place), '{}')
  into v_kept
  from told
  join added using (instrument_id, time, trade_id);

  -- Another statement, so that what somebody else wrote at the same moment is seen.
  return (
    select coalesce(
      json_agg(
        case
          when told.place = any (v_kept) then 0
          when (held.price, held.size, held.taker_buy, held.count)
            is not distinct from (told.price, told.size, told.taker_buy, told.count) then 1
          else 2
        end
        order by told.place
      ),
      '[]'
    )
    from internal.told_ticks(p_ticks) as told
    left join public.ticks as held
      on held.instrument_id = told.instrument_id and held.time = told.time and held.trade_id = told.trade_id
  );
end
$$;

-- Makes the minutes of a market that is only pushed what its ticks in p_spans are: `partial`, because nothing shows that
-- none is missing. One at a time for each market, so that the last one sees all ticks; what changes nothing writes
-- nothing. The merge rule joins equal reports by trade ids, and pushed ids say nothing of order: so each is observed
-- anew, and wins whole. Returns how many minutes changed.
create function public.fold_ticks_v1(p_instrument_id smallint, p_spans tstzmultirange) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_observed timestamptz;
  v_changed integer;
begin
  perform pg_advisory_xact_lock(hashtext('fold_ticks'), p_instrument_id);
  select greatest(clock_timestamp(), max(candle.observed_at) + interval '1 microsecond')
  into v_observed
  from unnest(p_spans) as span
  left join public.candles as candle
    on candle.instrument_id = p_instrument_id
    and candle.timeframe = 1
    and candle.open_time >= lower(span)
    and candle.open_time < upper(span);

  with folded as (
    select
      date_trunc('minute', tick.time) as open_time,
      (array_agg(tick.price order by tick.time, tick.trade_id))[1] as open,
      max(tick.price) as high,
      min(tick.price) as low,
      (array_agg(tick.price order by tick.time desc, tick.trade_id desc))[1] as close,
      sum(tick.size) as volume,
      sum(tick.price * tick.size) as quote_volume,
      case when bool_and(tick.taker_buy is not null)
        then coalesce(sum(tick.size) filter (where tick.taker_buy), 0) end as taker_buy_volume,
      sum(tick.count)::integer as trades,
      min(tick.trade_id) as first_id,
      max(tick.trade_id + tick.count - 1) as last_id
    from unnest(p_spans) as span
    join public.ticks as tick
      on tick.instrument_id = p_instrument_id and tick.time >= lower(span) and tick.time < upper(span)
    group by 1
  )
  insert into public.candles (
    instrument_id, timeframe, open_time, open, high, low, close, volume, quote_volume, taker_buy_volume, trades,
    first_id, last_id, source, observed_at, derived
  )
  select p_instrument_id, 1, folded.*, 1, v_observed, false
  from folded
  where not exists (
    select
    from public.candles as held
    where held.instrument_id = p_instrument_id
      and held.timeframe = 1
      and held.open_time = folded.open_time
      and (
        held.open, held.high, held.low, held.close, held.volume, held.quote_volume, held.taker_buy_volume,
        held.trades, held.first_id, held.last_id
      ) is not distinct from (
        folded.open, folded.high, folded.low, folded.close, folded.volume, folded.quote_volume,
        folded.taker_buy_volume, folded.trades, folded.first_id, folded.last_id
      )
  )
  order by folded.open_time
  on conflict (instrument_id, timeframe, open_time) do update set
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume,
    quote_volume = excluded.quote_volume,
    taker_buy_volume = excluded.taker_buy_volume,
    trades = excluded.trades,
    first_id = excluded.first_id,
    last_id = excluded.last_id,
    source = excluded.source,
    observed_at = excluded.observed_at,
    derived = excluded.derived;
  get diagnostics v_changed = row_count;
  return v_changed;
end
$$;

revoke all on function
  internal.told_ticks(json),
  public.keep_ticks_v1(json),
  public.fold_ticks_v1(smallint, tstzmultirange)
from public, anon, authenticated, service_role;

grant execute on function
  public.keep_ticks_v1(json),
  public.fold_ticks_v1(smallint, tstzmultirange)
to service_role;
