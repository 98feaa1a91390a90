-- What is computed of closes: statistics of a window, snapshots, aggregates, comparisons of two markets. Keyed by bucket
-- edges, so that whoever computes a row again writes the same; what is the same is not written (the trigger below).
-- docs/data-semantics.md ("Statistics") defines the figures. Ratios, not percent; null comes with a reason in `absent`.

-- Return and risk over the window of that name that ends at as_of.
create table public.roi_statistics (
  id              bigint generated always as identity unique,
  instrument_id   smallint not null references public.instruments on delete cascade,
  timeframe       smallint not null references public.timeframes,
  formula_version smallint not null,
  n               integer not null,
  period          text not null,
  as_of           timestamptz not null,
  roi             numeric,
  volatility      numeric,
  sharpe          numeric,
  sortino         numeric,
  max_drawdown    numeric,
  best            numeric,
  worst           numeric,
  coverage        numeric not null,
  absent          jsonb not null default '{}',
  primary key (instrument_id, period, as_of),
  constraint a_window_ends_on_an_edge
    check (
      isfinite(as_of) and as_of = date_bin(timeframe * interval '1 minute', as_of, '2001-01-01 00:00:00+00')
    ),
  constraint periods_have_names check (length(period) between 1 and 20),
  constraint the_basis_is_possible check (n >= 0 and coverage between 0 and 1 and formula_version > 0),
  -- NaN sorts above Infinity, so an upper bound refuses both.
  constraint figures_are_possible
    check (
      roi >= -1 and roi < 'Infinity'
      and volatility >= 0 and volatility < 'Infinity'
      and sharpe > '-Infinity' and sharpe < 'Infinity'
      and sortino > '-Infinity' and sortino < 'Infinity'
      and max_drawdown between -1 and 0
      and worst >= -1 and worst <= best and best < 'Infinity'
    )
);

-- One market at a quarter hour.
create table public.market_snapshots (
  id               bigint generated always as identity unique,
  instrument_id    smallint not null references public.instruments on delete cascade,
  formula_version  smallint not null,
  n                integer not null,
  as_of            timestamptz not null,
  price            numeric,
  volume_24h       numeric,
  quote_volume_24h numeric,
  volatility       numeric,
  roi_1h           numeric,
  roi_24h          numeric,
  roi_7d           numeric,
  roi_30d          numeric,
  coverage         numeric not null,
  absent           jsonb not null default '{}',
  primary key (instrument_id, as_of),
  constraint a_snapshot_is_of_a_quarter_hour
    check (isfinite(as_of) and as_of = date_bin('15 minutes', as_of, '2001-01-01 00:00:00+00')),
  constraint the_basis_is_possible check (n >= 0 and coverage between 0 and 1 and formula_version > 0),
  constraint figures_are_possible
    check (
      price > 0 and price < 'Infinity'
      and volume_24h >= 0 and volume_24h < 'Infinity'
      and quote_volume_24h >= 0 and quote_volume_24h < 'Infinity'
      and volatility >= 0 and volatility < 'Infinity'
      and roi_1h >= -1 and roi_1h < 'Infinity'
      and roi_24h >= -1 and roi_24h < 'Infinity'
      and roi_7d >= -1 and roi_7d < 'Infinity'
      and roi_30d >= -1 and roi_30d < 'Infinity'
    )
);

-- One hour, day or week of a market, which closed at as_of.
create table public.market_aggregates (
  id              bigint generated always as identity unique,
  instrument_id   smallint not null references public.instruments on delete cascade,
  formula_version smallint not null,
  n               integer not null,
  period          text not null,
  as_of           timestamptz not null,
  open            numeric,
  high            numeric,
  low             numeric,
  close           numeric,
  average         numeric,
  volume          numeric,
  quote_volume    numeric,
  change          numeric,
  coverage        numeric not null,
  absent          jsonb not null default '{}',
  primary key (instrument_id, period, as_of),
  constraint a_period_ends_on_its_edge
    check (
      isfinite(as_of)
      and as_of = date_bin(
        case period when 'hourly' then interval '1 hour' when 'daily' then interval '1 day' else interval '7 days' end,
        as_of,
        '2001-01-01 00:00:00+00'
      )
    ),
  constraint periods_are_known check (period in ('hourly', 'daily', 'weekly')),
  constraint the_basis_is_possible check (n >= 0 and coverage between 0 and 1 and formula_version > 0),
  constraint figures_are_possible
    check (
      low > 0 and low <= least(open, close, average) and high >= greatest(open, close, average) and high < 'Infinity'
      and close > 0 and close < 'Infinity'
      and volume >= 0 and volume < 'Infinity'
      and quote_volume >= 0 and quote_volume < 'Infinity'
      and change >= -1 and change < 'Infinity'
    )
);

-- Two markets at the same quarter hour: ratios of the first to the second, spreads of the first less the second.
create table public.market_comparisons (
  id                 bigint generated always as identity unique,
  first_id           smallint not null references public.instruments on delete cascade,
  second_id          smallint not null references public.instruments on delete cascade,
  formula_version    smallint not null,
  n                  integer not null,
  as_of              timestamptz not null,
  price_ratio        numeric,
  quote_volume_ratio numeric,
  roi_spread_1h      numeric,
  roi_spread_24h     numeric,
  roi_spread_7d      numeric,
  roi_spread_30d     numeric,
  coverage           numeric not null,
  absent             jsonb not null default '{}',
  primary key (first_id, second_id, as_of),
  constraint nothing_is_compared_with_itself check (first_id <> second_id),
  constraint a_comparison_is_of_a_quarter_hour
    check (isfinite(as_of) and as_of = date_bin('15 minutes', as_of, '2001-01-01 00:00:00+00')),
  constraint the_basis_is_possible check (n >= 0 and coverage between 0 and 1 and formula_version > 0),
  constraint figures_are_possible
    check (
      price_ratio >= 0 and price_ratio < 'Infinity'
      and quote_volume_ratio >= 0 and quote_volume_ratio < 'Infinity'
      and roi_spread_1h > '-Infinity' and roi_spread_1h < 'Infinity'
      and roi_spread_24h > '-Infinity' and roi_spread_24h < 'Infinity'
      and roi_spread_7d > '-Infinity' and roi_spread_7d < 'Infinity'
      and roi_spread_30d > '-Infinity' and roi_spread_30d < 'Infinity'
    )
);

-- A pair is there once, whichever way round.
create unique index a_pair_has_no_order
  on public.market_comparisons (least(first_id, second_id), greatest(first_id, second_id), as_of);

-- For what was compared last, and for forgetting what is old.
create index market_comparisons_by_time on public.market_comparisons (as_of);
create index roi_statistics_by_time on public.roi_statistics (as_of);
create index market_snapshots_by_time on public.market_snapshots (as_of);
create index market_aggregates_by_time on public.market_aggregates (as_of);
create index market_comparisons_by_second on public.market_comparisons (second_id);

-- Computed again and found to be the same: no new version of the row, nothing to vacuum. Last by name, after whatever
-- else may change the row.
create trigger z_suppress_what_is_the_same before update on public.roi_statistics
  for each row execute function suppress_redundant_updates_trigger();
create trigger z_suppress_what_is_the_same before update on public.market_snapshots
  for each row execute function suppress_redundant_updates_trigger();
create trigger z_suppress_what_is_the_same before update on public.market_aggregates
  for each row execute function suppress_redundant_updates_trigger();
create trigger z_suppress_what_is_the_same before update on public.market_comparisons
  for each row execute function suppress_redundant_updates_trigger();

-- The newest of each market and window: for each of the few that there are one step down the primary key.
create view public.roi_statistics_latest with (security_invoker = true) as
select newest.*
from public.instruments as instrument
cross join (values ('1h'), ('24h'), ('7d'), ('30d'), ('365d')) as named (period)
cross join lateral (
  select *
  from public.roi_statistics as one
  where one.instrument_id = instrument.id and one.period = named.period
  order by one.as_of desc
  limit 1
) as newest;

create view public.market_snapshots_latest with (security_invoker = true) as
select newest.*
from public.instruments as instrument
cross join lateral (
  select *
  from public.market_snapshots as one
  where one.instrument_id = instrument.id
  order by one.as_of desc
  limit 1
) as newest;

create view public.market_aggregates_latest with (security_invoker = true) as
select newest.*
from public.instruments as instrument
cross join (values ('hourly'), ('daily'), ('weekly')) as named (period)
cross join lateral (
  select *
  from public.market_aggregates as one
  where one.instrument_id = instrument.id and one.period = named.period
  order by one.as_of desc
  limit 1
) as newest;

-- Whatever was compared at the last quarter hour at which anything was.
create view public.market_comparisons_latest with (security_invoker = true) as
select *
from public.market_comparisons
where as_of = (select max(as_of) from public.market_comparisons);

-- Forgets at most p_limit rows of each table that are older, the oldest first; returns how many. Closes stay, and with
-- them everything that was computed of them can be computed again.
create function public.prune_statistics_v1(
  p_before timestamptz, p_comparisons_before timestamptz, p_limit integer default 10000
) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant integer := least(greatest(p_limit, 0), 10000);
  v_forgotten integer := 0;
  v_count integer;
begin
  delete from public.roi_statistics
  where id in (select id from public.roi_statistics where as_of < p_before order by as_of limit v_limit);
  get diagnostics v_count = row_count;
  v_forgotten := v_forgotten + v_count;
  delete from public.market_snapshots
  where id in (select id from public.market_snapshots where as_of < p_before order by as_of limit v_limit);
  get diagnostics v_count = row_count;
  v_forgotten := v_forgotten + v_count;
  delete from public.market_aggregates
  where id in (select id from public.market_aggregates where as_of < p_before order by as_of limit v_limit);
  get diagnostics v_count = row_count;
  v_forgotten := v_forgotten + v_count;
  delete from public.market_comparisons
  where id in (
    select id from public.market_comparisons where as_of < p_comparisons_before order by as_of limit v_limit
  );
  get diagnostics v_count = row_count;
  return v_forgotten + v_count;
end
$$;

-- The tables of the ingestion pipeline that many dashboards were written for, under its names.
create view public."Market" with (security_invoker = true) as
select
  id,
  symbol,
  base || '/' || quote as name,
  base as "baseAsset",
  quote as "quoteAsset",
  exchange,
  active
from public.instruments;

create view public."MarketSnapshot" with (security_invoker = true) as
select
  row.id,
  row.instrument_id as "marketId",
  instrument.symbol,
  row.price,
  row.volume_24h as "volume24h",
  row.quote_volume_24h as "quoteVolume24h",
  row.volatility,
  row.roi_1h as "roi1h",
  row.roi_24h as "roi24h",
  row.roi_7d as "roi7d",
  row.roi_30d as "roi30d",
  row.as_of as "timestamp"
from public.market_snapshots as row
join public.instruments as instrument on instrument.id = row.instrument_id;

create view public."MarketAggregate" with (security_invoker = true) as
select
  row.id,
  row.instrument_id as "marketId",
  instrument.symbol,
  row.period as interval,
  row.as_of - case row.period
    when 'hourly' then interval '1 hour'
    when 'daily' then interval '1 day'
    else interval '7 days'
  end as "periodStart",
  row.as_of as "periodEnd",
  row.open,
  row.high,
  row.low,
  row.close,
  row.average,
  row.volume,
  row.quote_volume as "quoteVolume",
  row.change
from public.market_aggregates as row
join public.instruments as instrument on instrument.id = row.instrument_id;

create view public."MarketComparison" with (security_invoker = true) as
select
  row.id,
  row.first_id as "baseMarketId",
  row.second_id as "quoteMarketId",
  first.symbol as "baseSymbol",
  second.symbol as "quoteSymbol",
  row.price_ratio as "priceRatio",
  row.quote_volume_ratio as "volumeRatio",
  row.roi_spread_24h as "roiSpread",
  row.as_of as "timestamp"
from public.market_comparisons as row
join public.instruments as first on first.id = row.first_id
join public.instruments as second on second.id = row.second_id;

create view public."MarketROIStatistic" with (security_invoker = true) as
select
  row.id,
  row.instrument_id as "marketId",
  instrument.symbol,
  row.period,
  row.roi,
  row.volatility,
  row.sharpe as "sharpeRatio",
  row.sortino as "sortinoRatio",
  row.max_drawdown as "maxDrawdown",
  row.best as "bestReturn",
  row.worst as "worstReturn",
  row.as_of as "timestamp"
from public.roi_statistics as row
join public.instruments as instrument on instrument.id = row.instrument_id;

alter table public.roi_statistics enable row level security;
alter table public.market_snapshots enable row level security;
alter table public.market_aggregates enable row level security;
alter table public.market_comparisons enable row level security;

create policy everyone_reads on public.roi_statistics for select to anon, authenticated using (true);
create policy everyone_reads on public.market_snapshots for select to anon, authenticated using (true);
create policy everyone_reads on public.market_aggregates for select to anon, authenticated using (true);
create policy everyone_reads on public.market_comparisons for select to anon, authenticated using (true);

revoke all on
  public.roi_statistics, public.market_snapshots, public.market_aggregates, public.market_comparisons,
  public.roi_statistics_latest, public.market_snapshots_latest, public.market_aggregates_latest,
  public.market_comparisons_latest,
  public."Market", public."MarketSnapshot", public."MarketAggregate", public."MarketComparison",
  public."MarketROIStatistic"
from public, anon, authenticated, service_role;

grant select on
  public.roi_statistics, public.market_snapshots, public.market_aggregates, public.market_comparisons,
  public.roi_statistics_latest, public.market_snapshots_latest, public.market_aggregates_latest,
  public.market_comparisons_latest,
  public."Market", public."MarketSnapshot", public."MarketAggregate", public."MarketComparison",
  public."MarketROIStatistic"
to anon, authenticated, service_role;

grant insert, update on
  public.roi_statistics, public.market_snapshots, public.market_aggregates, public.market_comparisons
to service_role;

revoke all on function public.prune_statistics_v1(timestamptz, timestamptz, integer)
from public, anon, authenticated, service_role;
grant execute on function public.prune_statistics_v1(timestamptz, timestamptz, integer) to service_role;
