-- Exports that somebody ordered: candles of a span, written to a file. The table is the queue: a worker leases one.
create table public.exports (
  id          text primary key,
  caller      text not null,
  question    jsonb not null,
  state       text not null default 'queued',
  attempts    integer not null default 0,
  worker      text,
  lease_until timestamptz,
  created_at  timestamptz not null,
  finished_at timestamptz,
  expires_at  timestamptz not null,
  result      jsonb not null default '{}',
  error       text not null default '',
  constraint exports_say_something
    check (id ~ '^[0-9a-f]{32}$' and length(caller) <= 200 and length(error) <= 300),
  constraint states_are_known check (state in ('queued', 'running', 'done', 'failed')),
  constraint results_are_small check (octet_length(result::text) <= 16384 and octet_length(question::text) <= 4096)
);

create index exports_waiting on public.exports (created_at) where state in ('queued', 'running');
create index exports_by_end on public.exports (expires_at);

-- One export as JSON, or null.
create function internal.export_json(p_id text) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
  select json_build_object(
    'id', id,
    'caller', caller,
    'question', question,
    'state', state,
    'attempts', attempts,
    'worker', worker,
    'created_at', created_at,
    'finished_at', finished_at,
    'expires_at', expires_at,
    'result', result,
    'error', error
  )
  from public.exports
  where id = p_id
$$;

-- Orders an export; saying the same again changes nothing. Returns it as a list of one; of none if p_waiting_max wait
-- already, or p_waiting_of_caller_max of this caller.
create function public.order_export_v1(
  p_id text,
  p_caller text,
  p_question jsonb,
  p_now timestamptz,
  p_expires_at timestamptz,
  p_waiting_max integer default 100,
  p_waiting_of_caller_max integer default 10
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_waiting integer;
  v_of_caller integer;
begin
  if not exists (select from public.exports where id = p_id) then
    perform pg_advisory_xact_lock(hashtext('order_export'));
    select count(*), count(*) filter (where caller = p_caller)
    into v_waiting, v_of_caller
    from public.exports
    where state in ('queued', 'running');
    if v_waiting >= p_waiting_max or v_of_caller >= p_waiting_of_caller_max then
      return '[]'::json;
    end if;
    insert into public.exports (id, caller, question, created_at, expires_at)
    values (p_id, p_caller, p_question, p_now, p_expires_at)
    on conflict (id) do nothing;
  end if;
  return json_build_array(internal.export_json(p_id));
end
$$;

-- The export of that id as a list of one; of none if there is none.
create function public.get_export_v1(p_id text) returns json
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(json_agg(found), '[]')
  from (select internal.export_json(p_id) as found) as one
  where found is not null
$$;

-- Leases the oldest export that waits, or whose worker's lease ran out, as a list of one; of none if nothing waits. One
-- that was begun p_attempts_max times and never ended has failed.
create function public.claim_export_v1(
  p_worker text, p_now timestamptz, p_lease_seconds double precision, p_attempts_max integer default 3
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id text;
begin
  update public.exports
  set state = 'failed', finished_at = p_now, error = 'it was begun ' || attempts || ' times and never ended'
  where state = 'running' and lease_until <= p_now and attempts >= p_attempts_max;
  update public.exports
  set state = 'running',
    worker = p_worker,
    attempts = attempts + 1,
    lease_until = p_now + make_interval(secs => p_lease_seconds)
  where id = (
    select id
    from public.exports
    where state = 'queued' or (state = 'running' and lease_until <= p_now)
    order by created_at, id
    limit 1
    for update skip locked
  )
  returning id into v_id;
  return case when v_id is null then '[]'::json else json_build_array(internal.export_json(v_id)) end;
end
$$;

-- Ends an export that the worker still holds, or (queued) gives it back; false if it does not. Saying the same again is true.
create function public.finish_export_v1(
  p_id text, p_worker text, p_attempts integer, p_state text, p_result jsonb, p_error text, p_now timestamptz
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.exports
  set state = p_state,
    result = p_result,
    error = left(p_error, 300),
    finished_at = case when p_state <> 'queued' then p_now end,
    lease_until = null
  where id = p_id and worker = p_worker and attempts = p_attempts and state = 'running';
  return exists (
    select from public.exports
    where id = p_id and worker = p_worker and attempts = p_attempts and state = p_state
  );
end
$$;

-- The ids of at most 100 exports whose time is over and that nobody works on, as one JSON array.
create function public.get_expired_exports_v1(p_now timestamptz) returns json
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(json_agg(id), '[]')
  from (
    select id
    from public.exports
    where expires_at <= p_now and (state <> 'running' or lease_until <= p_now)
    order by expires_at
    limit 100
  ) as old
$$;

-- Forgets exports whose files are gone.
create function public.forget_exports_v1(p_ids text[], p_now timestamptz) returns void
language sql
security definer
set search_path = ''
as $$
  delete from public.exports where id = any (p_ids) and expires_at <= p_now
$$;

alter table public.exports enable row level security;

revoke all on public.exports from public, anon, authenticated, service_role;
grant select on public.exports to service_role;

revoke all on function
  internal.export_json(text),
  public.order_export_v1(text, text, jsonb, timestamptz, timestamptz, integer, integer),
  public.get_export_v1(text),
  public.claim_export_v1(text, timestamptz, double precision, integer),
  public.finish_export_v1(text, text, integer, text, jsonb, text, timestamptz),
  public.get_expired_exports_v1(timestamptz),
  public.forget_exports_v1(text[], timestamptz)
from public, anon, authenticated, service_role;

grant execute on function
  public.order_export_v1(text, text, jsonb, timestamptz, timestamptz, integer, integer),
  public.get_export_v1(text),
  public.claim_export_v1(text, timestamptz, double precision, integer),
  public.finish_export_v1(text, text, integer, text, jsonb, text, timestamptz),
  public.get_expired_exports_v1(timestamptz),
  public.forget_exports_v1(text[], timestamptz)
to service_role;
