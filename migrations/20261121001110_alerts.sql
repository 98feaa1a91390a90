-- The outbox of alerts: what somebody should know, written in the transaction of the change that it is about.

-- `dedup_key` names the subject and the rule, and no measured value: of equal ones at most one fires at a time.
create table public.alerts (
  id          uuid primary key default gen_random_uuid(),
  timeframe   smallint references public.timeframes,
  created_at  timestamptz not null,
  resolved_at timestamptz,
  dedup_key   text not null,
  rule        text not null,
  severity    text not null,
  state       text not null default 'firing',
  exchange    text,
  symbol      text,
  summary     text not null,
  context     jsonb not null default '{}',
  constraint severity_is_known
    check (severity in ('info', 'warning', 'error', 'critical')),
  constraint state_is_known
    check (state in ('firing', 'resolved')),
  constraint the_resolved_know_when
    check ((state = 'firing') = (resolved_at is null)),
  constraint it_says_something
    check (
      length(dedup_key) between 1 and 255 and length(rule) between 1 and 60 and length(summary) between 1 and 300
    ),
  constraint context_is_a_bounded_object
    check (jsonb_typeof(context) = 'object' and octet_length(context::text) <= 16384)
);

create unique index alerts_fire_once on public.alerts (dedup_key) where state = 'firing';
create index alerts_by_time on public.alerts (created_at desc, id);
create index alerts_by_end on public.alerts (resolved_at) where state = 'resolved';

create function internal.gap_alert_key(p_exchange text, p_symbol text, p_gap_id bigint) returns text
language sql
immutable
parallel safe
return p_exchange || ':' || p_symbol || ':gap.unrecoverable:' || p_gap_id;

-- Whoever gives a gap up says so in the same transaction, or the gap is not given up.
create function internal.alert_of_lost_history() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_time constant text := 'YYYY-MM-DD"T"HH24:MI:SS"Z"';
  v_instrument public.instruments;
  v_frame text;
  v_buckets bigint;
begin
  select * into strict v_instrument from public.instruments where id = new.instrument_id;
  select name into strict v_frame from public.timeframes where minutes = new.timeframe;
  v_buckets := extract(epoch from upper(new.span) - lower(new.span)) / 60 / new.timeframe;
  insert into public.alerts (dedup_key, rule, severity, created_at, exchange, symbol, timeframe, summary, context)
  values (
    internal.gap_alert_key(v_instrument.exchange, v_instrument.symbol, new.id),
    'gap.unrecoverable',
    'error',
    new.repaired_at,
    v_instrument.exchange,
    v_instrument.symbol,
    new.timeframe,
    left(
      format(
        '%s %s: %s buckets of %s from %s cannot be recovered',
        v_instrument.exchange,
        v_instrument.symbol,
        v_buckets,
        v_frame,
        to_char(lower(new.span) at time zone 'UTC', c_time)
      ),
      300
    ),
    jsonb_build_object(
      'gap', new.id,
      'start', to_char(lower(new.span) at time zone 'UTC', c_time),
      'end', to_char(upper(new.span) at time zone 'UTC', c_time),
      'buckets', v_buckets,
      'cause', new.cause,
      'attempts', new.attempts,
      'reason', new.reason
    )
  )
  on conflict (dedup_key) where state = 'firing' do nothing;
  return null;
end
$$;

create trigger alert_of_lost_history after update of state on public.candle_gaps
  for each row
  when (new.state = 'unrecoverable' and old.state <> 'unrecoverable')
  execute function internal.alert_of_lost_history();

-- At most p_limit alerts, newest first, as one JSON array, so that no cap on rows cuts it. Null asks for every state.
create function public.get_alerts_v1(p_states text[] default null, p_limit integer default 100) returns json
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
    select coalesce(json_agg(listed order by listed.created_at desc, listed.id), '[]')
    from (
      select *
      from public.alerts
      where p_states is null or state = any (p_states)
      order by created_at desc, id
      limit p_limit
    ) as listed
  );
end
$$;

-- The service role reads alerts; they come of changes, and nobody else is told.
alter table public.alerts enable row level security;

revoke all on public.alerts from public, anon, authenticated, service_role;

grant select on public.alerts to service_role;

revoke all on function
  internal.gap_alert_key(text, text, bigint),
  internal.alert_of_lost_history(),
  public.get_alerts_v1(text[], integer)
from public, anon, authenticated, service_role;

grant execute on function public.get_alerts_v1(text[], integer) to service_role;
