-- The tables that other programs were written against, as views over ours: they read on, nothing is stored twice, and
-- nothing can be written past the merge rule. (Those of the ingestion pipeline came with the statistics.)
--
-- A table there has one market a name, ours may have the same name on several exchanges: of those a view shows the one
-- that is followed, nobody's invention and known here longest. Views of candles are everybody's to read, like candles;
-- views of ticks and quotes are the service role's, like those.

-- Which instrument a bare name stands for; `dashed` as BTC-USD, `joined` as BTCUSD. Of quoted markets the exchange's
-- usual price.
create view public.market_names with (security_invoker = true) as
select distinct on (instrument.base, instrument.quote)
  instrument.id,
  instrument.base || '-' || instrument.quote as dashed,
  instrument.base || instrument.quote as joined,
  instrument.exchange,
  instrument.symbol,
  instrument.calendar
from public.instruments as instrument
where instrument.symbol !~ ':(bid|ask|mid)$'
order by instrument.base, instrument.quote, instrument.simulated, not instrument.active, instrument.id;

-- Minutes with dollar volume (sum of price x size; null where the exchange does not give it).
create view public.crypto_candles with (security_invoker = true) as
select
  market.dashed as ticker,
  candle.open_time as "timestamp",
  candle.open,
  candle.high,
  candle.low,
  candle.close,
  candle.quote_volume as volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 1
where market.calendar = 'always';

-- Minutes with base volume.
create view public.ohlc_1m with (security_invoker = true) as
select
  market.joined as symbol,
  candle.open_time as ts,
  candle.open,
  candle.high,
  candle.low,
  candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 1;

-- The candles of currencies, a view a timeframe.
create view public.forex_candles_1m with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 1
where market.calendar = 'fx';

create view public.forex_candles_5m with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 5
where market.calendar = 'fx';

create view public.forex_candles_15m with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 15
where market.calendar = 'fx';

create view public.forex_candles_1h with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 60
where market.calendar = 'fx';

create view public.forex_candles_4h with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 240
where market.calendar = 'fx';

create view public.forex_candles_12h with (security_invoker = true) as
select market.joined as symbol, candle.open_time as time, candle.open, candle.high, candle.low, candle.close,
  candle.volume
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 720
where market.calendar = 'fx';

-- Ticks as they were taken, each once.
create view public.ticks_history with (security_invoker = true) as
select
  market.joined as symbol,
  tick.time as ts,
  tick.price,
  tick.size as volume,
  tick.trade_id
from public.market_names as market
join public.ticks as tick on tick.instrument_id = market.id;

-- The same of every exchange, with what else is known of each.
create view public.ticks_raw with (security_invoker = true) as
select
  instrument.exchange,
  instrument.symbol,
  tick.time as ts,
  tick.price,
  tick.size as volume,
  tick.trade_id,
  tick.taker_buy,
  tick.count
from public.instruments as instrument
join public.ticks as tick on tick.instrument_id = instrument.id;

-- The newest hundred of each market, newest first.
create view public.ticks_recent with (security_invoker = true) as
select
  market.joined as symbol,
  newest.time as ts,
  newest.price,
  newest.size as volume,
  newest.trade_id
from public.market_names as market
cross join lateral (
  select time, price, size, trade_id
  from public.ticks as tick
  where tick.instrument_id = market.id
  order by tick.time desc, tick.trade_id desc
  limit 100
) as newest;

-- Minutes as figures: the mean of the prices of its ticks (null where ticks are not kept that long), their volume-weighted
-- mean, and the last.
create view public.metrics_1m with (security_invoker = true) as
select
  market.joined as symbol,
  candle.open_time as ts,
  candle.low as min,
  candle.high as max,
  (
    select avg(tick.price)
    from public.ticks as tick
    where tick.instrument_id = market.id
      and tick.time >= candle.open_time
      and tick.time < candle.open_time + interval '1 minute'
  ) as avg,
  candle.quote_volume / nullif(candle.volume, 0) as vwap,
  candle.volume,
  candle.close as last
from public.market_names as market
join public.candles as candle on candle.instrument_id = market.id and candle.timeframe = 1;

-- Quotes as they were imported.
create view public.market_ticks with (security_invoker = true) as
select
  quote.time,
  market.joined as symbol,
  quote.ask,
  quote.bid
from public.market_names as market
join public.quotes as quote on quote.instrument_id = market.id;

revoke all on
  public.market_names, public.crypto_candles, public.ohlc_1m, public.forex_candles_1m, public.forex_candles_5m,
  public.forex_candles_15m, public.forex_candles_1h, public.forex_candles_4h, public.forex_candles_12h,
  public.ticks_history, public.ticks_raw, public.ticks_recent, public.metrics_1m, public.market_ticks
from public, anon, authenticated, service_role;

grant select on
  public.market_names, public.crypto_candles, public.ohlc_1m, public.forex_candles_1m, public.forex_candles_5m,
  public.forex_candles_15m, public.forex_candles_1h, public.forex_candles_4h, public.forex_candles_12h
to anon, authenticated, service_role;

grant select on public.ticks_history, public.ticks_raw, public.ticks_recent, public.metrics_1m, public.market_ticks
to service_role;
