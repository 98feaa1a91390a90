-- Whom alerts are sent to, users' rules, silences, and the messages: written in the transaction of what they tell of.

-- `url` and `secrets` are secret: the service role alone reads them, through functions. The target `environment` is what
-- the settings name: its row says whether it is enabled, and its url is a digest.
create table internal.alert_targets (
  name            text primary key,
  kind            text not null,
  url             text not null,
  secrets         text[] not null default '{}',
  min_severity    text not null default 'warning',
  quiet           jsonb,
  enabled         boolean not null default true,
  disabled_reason text not null default '',
  constraint kind_is_known
    check (kind in ('generic', 'simple', 'slack', 'discord', 'teams', 'pagerduty')),
  constraint severity_is_known
    check (min_severity in ('info', 'warning', 'error', 'critical')),
  constraint it_is_bounded
    check (length(name) between 1 and 60 and length(url) between 1 and 2000 and cardinality(secrets) <= 5)
);

-- Users' rules about markets: what is watched, and the bounds that fire and that resolve.
create table internal.market_rules (
  name         text primary key,
  kind         text not null,
  exchange     text not null,
  symbol       text not null,
  bound        numeric not null,
  clear        numeric not null,
  direction    text not null,
  "window"     text not null default '',
  severity     text not null default 'info',
  hold_seconds integer not null default 0,
  created_at   timestamptz not null,
  constraint kind_is_known
    check (kind in ('price_crosses', 'price_moves', 'volume_spike', 'roi', 'drawdown')),
  constraint direction_is_known
    check (direction in ('above', 'below', 'either')),
  constraint severity_is_known
    check (severity in ('info', 'warning', 'error', 'critical')),
  constraint it_is_bounded
    check (length(name) between 1 and 60 and hold_seconds between 0 and 86400)
);

-- Times in which alerts that match are not told; null matches all.
create table internal.alert_silences (
  id        uuid primary key,
  starts_at timestamptz not null,
  ends_at   timestamptz not null,
  reason    text not null,
  rule      text,
  exchange  text,
  symbol    text,
  constraint it_begins_and_ends
    check (starts_at < ends_at and isfinite(starts_at) and isfinite(ends_at)),
  constraint it_is_bounded
    check (length(reason) between 1 and 200)
);

-- What one target is to be told. `id` is its webhook-id. Of a `queue` the oldest goes first. A claim is one attempt and a
-- lease: (worker, attempt) tells it from every other.
create table internal.alert_messages (
  id           uuid primary key,
  number       bigint generated always as identity unique,
  target       text not null,
  state        text not null default 'waiting',
  severity     text not null,
  queue        text not null default '',
  notice       jsonb not null,
  alert_ids    uuid[] not null default '{}',
  created_at   timestamptz not null,
  next_at      timestamptz not null,
  attempt      integer not null default 0,
  worker       text,
  lease_until  timestamptz,
  last_status  integer,
  last_error   text not null default '',
  delivered_at timestamptz,
  constraint state_is_known
    check (state in ('waiting', 'held', 'delivered', 'dead', 'digested')),
  constraint the_delivered_know_when
    check ((state = 'delivered') = (delivered_at is not null)),
  constraint notice_is_a_bounded_object
    check (jsonb_typeof(notice) = 'object' and octet_length(notice::text) <= 65536),
  constraint error_is_short
    check (length(last_error) <= 300)
);

create index alert_messages_due on internal.alert_messages (next_at) where state in ('waiting', 'held');
create index alert_messages_queued on internal.alert_messages (target, queue, number) where state = 'waiting';
create index alert_messages_by_alert on internal.alert_messages using gin (alert_ids);
create index alert_messages_by_age on internal.alert_messages (created_at) where state not in ('waiting', 'held');

-- What became of every attempt that was told.
create table internal.alert_tries (
  message_id uuid not null references internal.alert_messages on delete cascade,
  attempt    integer not null,
  at         timestamptz not null,
  status     integer,
  error      text not null default '',
  seconds    double precision not null default 0,
  primary key (message_id, attempt),
  constraint error_is_short
    check (length(error) <= 300)
);

alter table internal.alert_targets enable row level security;
alter table internal.market_rules enable row level security;
alter table internal.alert_silences enable row level security;
alter table internal.alert_messages enable row level security;
alter table internal.alert_tries enable row level security;

-- A message as JSON, with its tries.
create function internal.message_json(p_message internal.alert_messages) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
return json_build_object(
  'id', p_message.id,
  'target', p_message.target,
  'notice', p_message.notice,
  'severity', p_message.severity,
  'created_at', p_message.created_at,
  'next_at', p_message.next_at,
  'queue', p_message.queue,
  'state', p_message.state,
  'attempt', p_message.attempt,
  'worker', p_message.worker,
  'lease_until', p_message.lease_until,
  'last_status', p_message.last_status,
  'last_error', p_message.last_error,
  'delivered_at', p_message.delivered_at,
  'tries', (
    select coalesce(
      json_agg(
        json_build_object('attempt', attempt, 'at', at, 'status', status, 'error', error, 'seconds', seconds)
        order by attempt
      ),
      '[]'
    )
    from internal.alert_tries
    where message_id = p_message.id
  )
);

-- Everything that an evaluation needs, of one moment: the book and its version, alerts that fire or lag, targets, rules,
-- silences that have not ended, messages held back whose time has come, and targets that do not hear.
create function public.get_alert_desk_v1(p_now timestamptz) returns json
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
begin atomic
  select json_build_object(
    'version', book.version,
    'book', book.book,
    'alerts', (
      select coalesce(json_agg(listed order by listed.number), '[]')
      from (
        (
          select alert.*
          from public.alerts as alert
          where case
            when state = 'resolved' then coalesce(told, '') not in ('resolved', 'silenced')
            else told is null or (flapping and told <> 'flapping')
          end
          order by number
          limit 1000
        )
        union
        (
          select alert.*
          from public.alerts as alert
          where state = 'firing' and rule <> 'gap.unrecoverable'
          order by number
          limit 5000
        )
      ) as listed
    ),
    'targets', (
      select coalesce(json_agg(target order by target.name), '[]') from internal.alert_targets as target
    ),
    'rules', (
      select coalesce(json_agg(json_build_object(
        'name', name, 'kind', kind, 'exchange', exchange, 'symbol', symbol, 'bound', bound::text, 'clear', clear::text,
        'direction', direction, 'window', "window", 'severity', severity, 'hold_seconds', hold_seconds,
        'created_at', created_at
      ) order by name), '[]')
      from internal.market_rules
    ),
    'silences', (
      select coalesce(json_agg(silence order by silence.starts_at, silence.id), '[]')
      from internal.alert_silences as silence
      where ends_at > p_now
    ),
    'held', (
      select coalesce(json_agg(internal.message_json(held) order by held.number), '[]')
      from (
        select * from internal.alert_messages where state = 'held' and next_at <= p_now order by number limit 200
      ) as held
    ),
    'troubles', (
      select coalesce(json_agg(json_build_object(
        'target', target.name,
        'waiting', counted.waiting,
        'dead', counted.dead,
        'attempts', counted.attempts,
        'disabled_reason', target.disabled_reason
      ) order by target.name), '[]')
      from internal.alert_targets as target
      cross join lateral (
        select
          count(*) filter (where state = 'waiting') as waiting,
          count(*) filter (where state = 'dead' and created_at > p_now - interval '1 day') as dead,
          coalesce(max(attempt) filter (where state = 'waiting'), 0) as attempts
        from internal.alert_messages
        where target = target.name
      ) as counted
      where target.disabled_reason <> '' or counted.dead > 0 or counted.attempts > 0
    )
  )
  from internal.alert_book as book;
end;

-- Writes what an evaluation decided, all of it or nothing: the book, alerts that fired, ended or flap, what was told, and
-- the messages that tell it. False when the book is not of p_version any more: then nothing changed. Forgets at most
-- 1,000 messages that ended more than 30 days ago.
create function public.commit_alerts_v1(p_version bigint, p_now timestamptz, p_changes jsonb) returns boolean
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  update internal.alert_book set version = version + 1, book = p_changes -> 'book' where version = p_version;
  if not found then
    return false;
  end if;
  insert into public.alerts
    (id, created_at, started_at, dedup_key, rule, severity, exchange, symbol, summary, context, flapping)
  select id, created_at, started_at, dedup_key, rule, severity, exchange, symbol, summary, context, flapping
  from jsonb_to_recordset(p_changes -> 'fired') as fired (
    id uuid, created_at timestamptz, started_at timestamptz, dedup_key text, rule text, severity text, exchange text,
    symbol text, summary text, context jsonb, flapping boolean
  );
  update public.alerts as alert
  set state = 'resolved', resolved_at = ended.at
  from jsonb_to_recordset(p_changes -> 'resolved') as ended (id uuid, at timestamptz)
  where alert.id = ended.id and alert.state = 'firing';
  update public.alerts as alert
  set flapping = flapped.flapping
  from jsonb_to_recordset(p_changes -> 'flapped') as flapped (id uuid, flapping boolean)
  where alert.id = flapped.id;
  update public.alerts as alert
  set told = said.told, told_at = p_now
  from jsonb_to_recordset(p_changes -> 'told') as said (id uuid, told text)
  where alert.id = said.id;
  insert into internal.alert_messages (id, target, state, severity, queue, notice, alert_ids, created_at, next_at)
  select id, target, state, severity, queue, notice, alert_ids, created_at, next_at
  from jsonb_to_recordset(p_changes -> 'messages') as message (
    id uuid, target text, state text, severity text, queue text, notice jsonb, alert_ids uuid[],
    created_at timestamptz, next_at timestamptz
  );
  update internal.alert_messages as message
  set state = 'digested'
  from jsonb_array_elements_text(p_changes -> 'digested') as digested (id)
  where message.id = digested.id::uuid and message.state = 'held';
  delete from internal.alert_messages
  where id in (
    select id
    from internal.alert_messages
    where state not in ('waiting', 'held') and created_at < p_now - interval '30 days'
    limit 1000
  );
  return true;
end
$$;

-- Leases at most p_limit messages whose time has come, one of each target, the oldest first; each lease is an attempt.
-- A message in a queue waits for those before it. A target that is at work on one gets no other.
create function public.claim_messages_v1(
  p_worker text, p_now timestamptz, p_lease_seconds double precision, p_limit integer default 8
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_claimed uuid[];
begin
  if coalesce(p_worker, '') = '' or p_now is null or coalesce(p_lease_seconds, 0) not between 1 and 3600
    or coalesce(p_limit, 0) not between 1 and 100
  then
    raise exception 'p_worker, p_lease_seconds, p_limit: a name, 1 to 3600 seconds, 1 to 100 messages'
      using errcode = 'invalid_parameter_value';
  end if;
  -- One claim after the other, so that two cannot both find a target idle.
  perform pg_advisory_xact_lock(hashtext('market data: claim messages'));
  with due as (
    select distinct on (message.target) message.id, message.number
    from internal.alert_messages as message
    join internal.alert_targets as target on target.name = message.target and target.enabled
    where message.state = 'waiting'
      and message.next_at <= p_now
      and (message.lease_until is null or message.lease_until <= p_now)
      and not exists (
        select
        from internal.alert_messages as busy
        where busy.target = message.target and busy.state = 'waiting' and busy.lease_until > p_now
      )
      and (
        message.queue = ''
        or not exists (
          select
          from internal.alert_messages as earlier
          where earlier.target = message.target
            and earlier.queue = message.queue
            and earlier.state = 'waiting'
            and earlier.number < message.number
        )
      )
    order by message.target, message.number
  ), oldest as (
    select id from due order by number limit p_limit
  ), taken as (
    update internal.alert_messages as message
    set worker = p_worker,
      attempt = message.attempt + 1,
      lease_until = p_now + make_interval(secs => p_lease_seconds)
    from oldest
    where message.id = oldest.id
    returning message.id
  )
  select array_agg(id) into v_claimed from taken;
  return (
    select coalesce(json_agg(internal.message_json(message) order by message.number), '[]')
    from internal.alert_messages as message
    where message.id = any (v_claimed)
  );
end
$$;

-- Writes what became of an attempt, for its lease holder; false when the lease was lost: then nothing changed. Said
-- again, it is true and changes nothing. `p_disables` disables the target with that reason.
create function public.record_try_v1(
  p_id uuid,
  p_worker text,
  p_attempt integer,
  p_state text,
  p_at timestamptz,
  p_status integer,
  p_error text,
  p_seconds double precision,
  p_next_at timestamptz default null,
  p_disables text default ''
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_message internal.alert_messages;
begin
  select * into v_message from internal.alert_messages where id = p_id for update;
  if not found or v_message.worker is distinct from p_worker or v_message.attempt <> p_attempt then
    return false;
  end if;
  if v_message.lease_until is null then
    return exists (select from internal.alert_tries where message_id = p_id and attempt = p_attempt);
  end if;
  if v_message.state <> 'waiting' or p_state not in ('waiting', 'delivered', 'dead') then
    return false;
  end if;
  update internal.alert_messages
  set state = p_state,
    lease_until = null,
    next_at = coalesce(p_next_at, next_at),
    last_status = p_status,
    last_error = left(p_error, 300),
    delivered_at = case when p_state = 'delivered' then p_at end
  where id = p_id;
  insert into internal.alert_tries (message_id, attempt, at, status, error, seconds)
  values (p_id, p_attempt, p_at, p_status, left(p_error, 300), p_seconds)
  on conflict do nothing;
  if p_disables <> '' then
    update internal.alert_targets
    set enabled = false, disabled_reason = left(p_disables, 300)
    where name = v_message.target and enabled;
  end if;
  return true;
end
$$;

-- At most p_limit messages numbered below p_before, newest first; those about some alerts, to a target, or in a state.
create function public.get_messages_v1(
  p_alert_ids uuid[] default null,
  p_target text default null,
  p_states text[] default null,
  p_limit integer default 100
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
    select coalesce(json_agg(internal.message_json(found.message) order by (found.message).number desc), '[]')
    from (
      select message
      from internal.alert_messages as message
      where (p_alert_ids is null or message.alert_ids && p_alert_ids)
        and (p_target is null or message.target = p_target)
        and (p_states is null or message.state = any (p_states))
      order by message.number desc
      limit p_limit
    ) as found
  );
end
$$;

-- Puts messages into the outbox that tell of no change of an alert: tests, and signs of life.
create function public.put_messages_v1(p_messages jsonb) returns integer
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_added integer;
begin
  insert into internal.alert_messages (id, target, state, severity, queue, notice, alert_ids, created_at, next_at)
  select id, target, state, severity, queue, notice, alert_ids, created_at, next_at
  from jsonb_to_recordset(p_messages) as message (
    id uuid, target text, state text, severity text, queue text, notice jsonb, alert_ids uuid[],
    created_at timestamptz, next_at timestamptz
  )
  on conflict (id) do nothing;
  get diagnostics v_added = row_count;
  return v_added;
end
$$;

-- Lets messages that were given up wait again, from their first try: one by its id, or all of a target, at most 1,000.
-- A message that was delivered waits again only where it is named.
create function public.replay_messages_v1(p_now timestamptz, p_id uuid default null, p_target text default null)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_replayed integer;
begin
  with chosen as (
    select id
    from internal.alert_messages
    where (p_id is not null or p_target is not null)
      and (p_id is null or id = p_id)
      and (p_target is null or target = p_target)
      and (state = 'dead' or (state = 'delivered' and p_id is not null))
    order by number
    limit 1000
    for update skip locked
  ), gone as (
    delete from internal.alert_tries using chosen where message_id = chosen.id
  )
  update internal.alert_messages as message
  set state = 'waiting', next_at = p_now, attempt = 0, worker = null, lease_until = null, delivered_at = null
  from chosen
  where message.id = chosen.id;
  get diagnostics v_replayed = row_count;
  return v_replayed;
end
$$;

-- Adds a target or replaces the one of that name.
create function public.put_alert_target_v1(p_target jsonb) returns void
language sql
security definer
set search_path = ''
begin atomic
  insert into internal.alert_targets (name, kind, url, secrets, min_severity, quiet, enabled, disabled_reason)
  select name, kind, url, secrets, min_severity, quiet, enabled, disabled_reason
  from jsonb_to_record(p_target) as target (
    name text, kind text, url text, secrets text[], min_severity text, quiet jsonb, enabled boolean, disabled_reason text
  )
  on conflict (name) do update
  set kind = excluded.kind,
    url = excluded.url,
    secrets = excluded.secrets,
    min_severity = excluded.min_severity,
    quiet = excluded.quiet,
    enabled = excluded.enabled,
    disabled_reason = excluded.disabled_reason;
end;

-- Removes a target, and gives up what waits for it; false if there is none of that name.
create function public.remove_alert_target_v1(p_name text) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from internal.alert_targets where name = p_name;
  if not found then
    return false;
  end if;
  update internal.alert_messages
  set state = 'dead', last_error = 'the target was removed'
  where target = p_name and state in ('waiting', 'held');
  return true;
end
$$;

-- Adds a user's rule or replaces the one of that name.
create function public.put_market_rule_v1(p_rule jsonb) returns void
language sql
security definer
set search_path = ''
begin atomic
  insert into internal.market_rules
    (name, kind, exchange, symbol, bound, clear, direction, "window", severity, hold_seconds, created_at)
  select name, kind, exchange, symbol, bound, clear, direction, "window", severity, hold_seconds, created_at
  from jsonb_to_record(p_rule) as rule (
    name text, kind text, exchange text, symbol text, bound numeric, clear numeric, direction text, "window" text,
    severity text, hold_seconds integer, created_at timestamptz
  )
  on conflict (name) do update
  set kind = excluded.kind,
    exchange = excluded.exchange,
    symbol = excluded.symbol,
    bound = excluded.bound,
    clear = excluded.clear,
    direction = excluded.direction,
    "window" = excluded."window",
    severity = excluded.severity,
    hold_seconds = excluded.hold_seconds;
end;

-- Removes a user's rule; false if there is none of that name. What it fires of is resolved by the next evaluations.
create function public.remove_market_rule_v1(p_name text) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from internal.market_rules where name = p_name;
  return found;
end
$$;

-- Silences alerts that match for a time; null matches all. Forgets those that ended more than 30 days before.
create function public.put_silence_v1(p_silence jsonb) returns void
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  insert into internal.alert_silences (id, starts_at, ends_at, reason, rule, exchange, symbol)
  select id, starts_at, ends_at, reason, rule, exchange, symbol
  from jsonb_to_record(p_silence) as silence (
    id uuid, starts_at timestamptz, ends_at timestamptz, reason text, rule text, exchange text, symbol text
  )
  on conflict (id) do update set ends_at = excluded.ends_at;
  delete from internal.alert_silences where ends_at < (p_silence ->> 'starts_at')::timestamptz - interval '30 days';
end
$$;

-- Ends a silence; false if there is none of that id.
create function public.remove_silence_v1(p_id uuid) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from internal.alert_silences where id = p_id;
  return found;
end
$$;

-- The service role alone, and by these functions alone.
revoke all on function
  internal.message_json(internal.alert_messages),
  public.get_alert_desk_v1(timestamptz),
  public.commit_alerts_v1(bigint, timestamptz, jsonb),
  public.claim_messages_v1(text, timestamptz, double precision, integer),
  public.record_try_v1(
    uuid, text, integer, text, timestamptz, integer, text, double precision, timestamptz, text
  ),
  public.get_messages_v1(uuid[], text, text[], integer),
  public.put_messages_v1(jsonb),
  public.replay_messages_v1(timestamptz, uuid, text),
  public.put_alert_target_v1(jsonb),
  public.remove_alert_target_v1(text),
  public.put_market_rule_v1(jsonb),
  public.remove_market_rule_v1(text),
  public.put_silence_v1(jsonb),
  public.remove_silence_v1(uuid)
from public, anon, authenticated, service_role;

grant execute on function
  public.get_alert_desk_v1(timestamptz),
  public.commit_alerts_v1(bigint, timestamptz, jsonb),
  public.claim_messages_v1(text, timestamptz, double precision, integer),
  public.record_try_v1(
    uuid, text, integer, text, timestamptz, integer, text, double precision, timestamptz, text
  ),
  public.get_messages_v1(uuid[], text, text[], integer),
  public.put_messages_v1(jsonb),
  public.replay_messages_v1(timestamptz, uuid, text),
  public.put_alert_target_v1(jsonb),
  public.remove_alert_target_v1(text),
  public.put_market_rule_v1(jsonb),
  public.remove_market_rule_v1(text),
  public.put_silence_v1(jsonb),
  public.remove_silence_v1(uuid)
to service_role;
