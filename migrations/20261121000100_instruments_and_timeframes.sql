-- What is followed, and the timeframes that candles are kept in.

-- Two schemas that PostgREST does not expose: `internal` holds the machinery, `parts` the partitions. A partition in an
-- exposed schema could be read past the row level security of its parent.
create schema internal;
create schema parts;
revoke all on schema internal, parts from public, anon, authenticated, service_role;

-- The bucket lengths that there are. Buckets are aligned to UTC midnight, weeks to Monday.
create table public.timeframes (
  minutes smallint primary key,
  name    text not null unique,
  constraint a_bucket_has_a_length check (minutes > 0)
);

insert into public.timeframes (minutes, name)
values (1, '1m'), (5, '5m'), (15, '15m'), (60, '1h'), (240, '4h'), (720, '12h'), (1440, '1d'), (10080, '1w');

-- One symbol of one exchange, spelled as the exchange spells it, and the timeframes kept of it.
create table public.instruments (
  id         smallint primary key,
  exchange   text not null,
  symbol     text not null,
  base       text not null,
  quote      text not null,
  timeframes smallint[] not null default '{1,5,15,60,240,720,1440,10080}',
  active     boolean not null default true,
  simulated  boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (exchange, symbol),
  constraint names_say_something
    check (exchange <> '' and symbol <> '' and base <> '' and quote <> ''),
  constraint minutes_are_always_kept
    check (1 = any (timeframes)),
  constraint timeframes_are_known
    check (timeframes <@ '{1,5,15,60,240,720,1440,10080}'::smallint[] and array_position(timeframes, null) is null)
);

-- An upsert keeps the number that its pair already has; a new pair gets the next one. An identity column would spend a
-- number on every upsert, and a smallint has only 32,767 of them.
create function internal.number_instrument() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id smallint;
begin
  select id into v_id from public.instruments where exchange = new.exchange and symbol = new.symbol;
  if v_id is null then
    perform pg_advisory_xact_lock(hashtext('market data: number an instrument'));
    select id into v_id from public.instruments where exchange = new.exchange and symbol = new.symbol;
  end if;
  if v_id is null then
    select coalesce(max(id), 0) + 1 into v_id from public.instruments;
  end if;
  new.id := v_id;
  return new;
end
$$;

create trigger number_instrument
  before insert on public.instruments
  for each row execute function internal.number_instrument();

-- An instrument keeps its number and its birthday; `updated_at` moves only when something else changed.
create function internal.touch_instrument() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.id := old.id;
  new.created_at := old.created_at;
  new.updated_at := old.updated_at;
  if new is distinct from old then
    new.updated_at := now();
  end if;
  return new;
end
$$;

create trigger touch_instrument
  before update on public.instruments
  for each row execute function internal.touch_instrument();
