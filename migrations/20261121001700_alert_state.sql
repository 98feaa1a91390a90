-- Alerts from their first sign to what was told of them: the state machine's book, and what a feed says of its process.

-- Counted in the order in which they were written, so that pages go on where they ended. `told` is the last that was
-- written to targets; what lags behind the state is told by the next evaluation: the row is its own outbox entry.
alter table public.alerts
  add column number bigint generated always as identity,
  add column started_at timestamptz,
  add column flapping boolean not null default false,
  add column told text,
  add column told_at timestamptz,
  add constraint told_is_known
    check (told in ('firing', 'flapping', 'resolved', 'silenced'));

comment on column public.alerts.started_at is 'since when it holds; null where it began when it was written';

-- What has ended before anybody was told of alerts is no news.
update public.alerts set told = 'silenced' where state = 'resolved';

create unique index alerts_by_number on public.alerts (number);

-- Those of which something else was told than what is.
create index alerts_that_lag on public.alerts (number)
  where case
    when state = 'resolved' then coalesce(told, '') not in ('resolved', 'silenced')
    else told is null or (flapping and told <> 'flapping')
  end;

-- One row: what the state machine remembers. Whoever commits must have read the version that is there.
create table internal.alert_book (
  only_one boolean primary key default true check (only_one),
  version  bigint not null default 0,
  book     jsonb not null default '{}',
  constraint book_is_a_bounded_object
    check (jsonb_typeof(book) = 'object' and octet_length(book::text) <= 4000000)
);

alter table internal.alert_book enable row level security;

insert into internal.alert_book default values;

-- How full the spool may get, and the store's own clock when the feed spoke: a feed cannot know that its clock is wrong.
alter table public.feeds
  add column spool_max bigint not null default 0 check (spool_max >= 0),
  add column stored_at timestamptz;

create function internal.stamp_feed() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.stored_at := clock_timestamp();
  return new;
end
$$;

create trigger stamp_feed before insert or update on public.feeds
  for each row
  execute function internal.stamp_feed();

-- The gaps that nobody repaired since before p_before, of each instrument: [{exchange, symbol, gaps, minutes, oldest}].
-- History that was ordered is fetched when there is time, and is not counted.
create function public.get_unrepaired_v1(p_before timestamptz) returns json
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
begin atomic
  select coalesce(json_agg(found order by found.exchange, found.symbol), '[]')
  from (
    select
      instrument.exchange,
      instrument.symbol,
      count(*) as gaps,
      sum(extract(epoch from upper(gap.span) - lower(gap.span)) / 60)::bigint as minutes,
      min(gap.found_at) as oldest
    from public.candle_gaps as gap
    join public.instruments as instrument on instrument.id = gap.instrument_id
    where gap.state in ('open', 'leased') and gap.cause <> 'history' and gap.found_at < p_before
    group by instrument.exchange, instrument.symbol
  ) as found;
end;

-- What became of the history of a time, of one instrument or of all of an exchange: how many minutes of gaps were filled
-- or found to be empty, and the first 10 spans each that are lost or still to be fetched, as [symbol, start, end].
create function public.get_recovery_v1(p_exchange text, p_symbol text, p_start timestamptz, p_end timestamptz)
returns json
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
begin atomic
  with met as (
    select instrument.symbol, gap.state, gap.span * tstzrange(p_start, p_end) as part
    from public.candle_gaps as gap
    join public.instruments as instrument on instrument.id = gap.instrument_id
    where instrument.exchange = p_exchange
      and (p_symbol is null or instrument.symbol = p_symbol)
      and gap.timeframe = 1
      and gap.cause <> 'history'
      and gap.span && tstzrange(p_start, p_end)
  ), listed as (
    select
      symbol,
      state = 'unrecoverable' as lost,
      part,
      row_number() over (partition by state = 'unrecoverable' order by lower(part), symbol) as place
    from met
    where state in ('unrecoverable', 'open', 'leased')
  )
  select json_build_object(
    'minutes', (
      select coalesce(sum(extract(epoch from upper(part) - lower(part)) / 60), 0)::bigint
      from met
      where state in ('filled', 'no_trades')
    ),
    'lost', (
      select coalesce(json_agg(json_build_array(symbol, lower(part), upper(part)) order by place), '[]')
      from listed
      where lost and place <= 10
    ),
    'waiting', (
      select coalesce(json_agg(json_build_array(symbol, lower(part), upper(part)) order by place), '[]')
      from listed
      where not lost and place <= 10
    )
  );
end;

-- At most p_limit alerts numbered below p_before, newest first, as one JSON array. Null asks for all.
create function public.get_alerts_v2(
  p_states text[] default null,
  p_severities text[] default null,
  p_rule text default null,
  p_exchange text default null,
  p_symbol text default null,
  p_before bigint default null,
  p_limit integer default 100
) returns json
language plpgsql
stable
security definer
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
    select coalesce(json_agg(listed order by listed.number desc), '[]')
    from (
      select *
      from public.alerts
      where (p_states is null or state = any (p_states))
        and (p_severities is null or severity = any (p_severities))
        and (p_rule is null or rule = p_rule)
        and (p_exchange is null or exchange = p_exchange)
        and (p_symbol is null or symbol = p_symbol)
        and (p_before is null or number < p_before)
      order by number desc
      limit p_limit
    ) as listed
  );
end
$$;

revoke all on function
  internal.stamp_feed(),
  public.get_unrepaired_v1(timestamptz),
  public.get_recovery_v1(text, text, timestamptz, timestamptz),
  public.get_alerts_v2(text[], text[], text, text, text, bigint, integer)
from public, anon, authenticated, service_role;

grant execute on function
  public.get_unrepaired_v1(timestamptz),
  public.get_recovery_v1(text, text, timestamptz, timestamptz),
  public.get_alerts_v2(text[], text[], text, text, text, bigint, integer)
to service_role;
