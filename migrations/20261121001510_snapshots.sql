-- What whole assets are worth, by the word of sources that look at many exchanges. A table of its own: nothing in it is a
-- candle, and nothing here becomes one.

-- The last that a source said of an asset in a minute. Amounts are in the quote currency, the change in percent.
create table public.snapshots (
  source             text not null,
  asset              text not null,
  quote              text not null,
  minute             timestamptz not null,
  observed_at        timestamptz not null,
  price              numeric not null,
  volume_24h         numeric,
  market_cap         numeric,
  change_percent_24h numeric,
  primary key (source, asset, quote, minute),
  constraint names_say_something
    check (
      length(source) between 1 and 100 and length(asset) between 1 and 100 and length(quote) between 1 and 100
    ),
  constraint snapshots_are_possible
    check (
      price > 0 and price < 'Infinity'
      and volume_24h >= 0 and volume_24h < 'Infinity'
      and market_cap >= 0 and market_cap < 'Infinity'
      and change_percent_24h >= -100 and change_percent_24h < 'Infinity'
    ),
  constraint the_minute_is_of_its_time
    check (isfinite(observed_at) and minute = date_trunc('minute', observed_at, 'UTC'))
);

comment on column public.snapshots.price is 'an index over many exchanges, never the price of a trade';

-- For forgetting what is old.
create index snapshots_by_minute on public.snapshots (minute);

-- An index is no exchange: it has no instruments, and so neither candles nor trades.
alter table public.instruments
  add constraint an_index_has_no_instruments check (exchange not in ('coingecko', 'coingecko-simulated'));

-- Merges snapshots, in any order and any number of times: of one minute the one observed later, and of one moment, field
-- by field, the greater. A key may be there once. Returns how many rows are not as they were.
create function public.put_snapshots_v1(p_rows json) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_changed integer;
begin
  insert into public.snapshots as kept
    (source, asset, quote, minute, observed_at, price, volume_24h, market_cap, change_percent_24h)
  select
    source,
    asset,
    quote,
    date_trunc('minute', observed_at, 'UTC'),
    observed_at,
    price,
    volume_24h,
    market_cap,
    change_percent_24h
  from json_to_recordset(p_rows) as told (
    source text, asset text, quote text, observed_at timestamptz,
    price numeric, volume_24h numeric, market_cap numeric, change_percent_24h numeric
  )
  order by source, asset, quote, observed_at
  on conflict (source, asset, quote, minute) do update set
    observed_at = excluded.observed_at,
    price = case when excluded.observed_at > kept.observed_at
      then excluded.price else greatest(kept.price, excluded.price) end,
    volume_24h = case when excluded.observed_at > kept.observed_at
      then excluded.volume_24h else greatest(kept.volume_24h, excluded.volume_24h) end,
    market_cap = case when excluded.observed_at > kept.observed_at
      then excluded.market_cap else greatest(kept.market_cap, excluded.market_cap) end,
    change_percent_24h = case when excluded.observed_at > kept.observed_at
      then excluded.change_percent_24h else greatest(kept.change_percent_24h, excluded.change_percent_24h) end
  where excluded.observed_at > kept.observed_at
    or (
      excluded.observed_at = kept.observed_at
      and (
        excluded.price > kept.price
        or excluded.volume_24h > coalesce(kept.volume_24h, -1)
        or excluded.market_cap > coalesce(kept.market_cap, -1)
        or excluded.change_percent_24h > coalesce(kept.change_percent_24h, -101)
      )
    );
  get diagnostics v_changed = row_count;
  return v_changed;
end
$$;

-- At most p_limit snapshots of an asset with p_start <= minute < p_end (null: unbounded), the oldest in ascending order or
-- the newest in descending order, as columns in the manner of get_candles_v1.
create function public.get_snapshots_v1(
  p_source text,
  p_asset text,
  p_quote text,
  p_start timestamptz default null,
  p_end timestamptz default null,
  p_limit integer default 500,
  p_newest_first boolean default false
) returns json
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  c_limit_max constant integer := 10000;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  return (
    select json_build_object(
      'observed_at', coalesce(json_agg((extract(epoch from observed_at) * 1000000)::bigint), '[]'),
      'price', coalesce(json_agg(price::text), '[]'),
      'volume_24h', coalesce(json_agg(volume_24h::text), '[]'),
      'market_cap', coalesce(json_agg(market_cap::text), '[]'),
      'change_percent_24h', coalesce(json_agg(change_percent_24h::text), '[]')
    )
    -- Only one of the two is run; either comes in order, straight from the primary key.
    from (
      (
        select *
        from public.snapshots
        where not p_newest_first
          and source = p_source
          and asset = p_asset
          and quote = p_quote
          and minute >= coalesce(p_start, '-infinity')
          and minute < coalesce(p_end, 'infinity')
        order by minute
        limit p_limit
      )
      union all
      (
        select *
        from public.snapshots
        where p_newest_first
          and source = p_source
          and asset = p_asset
          and quote = p_quote
          and minute >= coalesce(p_start, '-infinity')
          and minute < coalesce(p_end, 'infinity')
        order by minute desc
        limit p_limit
      )
    ) as snapshot
  );
end
$$;

-- Forgets at most p_limit snapshots of before a time, the oldest first; returns how many.
create function public.prune_snapshots_v1(p_before timestamptz, p_limit integer default 10000) returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_forgotten integer;
begin
  delete from public.snapshots
  where (source, asset, quote, minute) in (
    select source, asset, quote, minute
    from public.snapshots
    where minute < p_before
    order by minute
    limit least(greatest(p_limit, 0), 10000)
  );
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end
$$;

alter table public.snapshots enable row level security;

revoke all on public.snapshots from public, anon, authenticated, service_role;
grant select on public.snapshots to service_role;

revoke all on function
  public.put_snapshots_v1(json),
  public.get_snapshots_v1(text, text, text, timestamptz, timestamptz, integer, boolean),
  public.prune_snapshots_v1(timestamptz, integer)
from public, anon, authenticated, service_role;

grant execute on function
  public.put_snapshots_v1(json),
  public.get_snapshots_v1(text, text, text, timestamptz, timestamptz, integer, boolean),
  public.prune_snapshots_v1(timestamptz, integer)
to service_role;
