-- Jobs that are ordered now and run soon: whoever does not wait for the answer asks the list of runs how it went.

alter table public.ingestion_jobs
  drop constraint state_is_known,
  drop constraint only_what_runs_has_no_end,
  add column arguments jsonb not null default '{}',
  add constraint state_is_known
    check (state in ('queued', 'running', 'succeeded', 'failed', 'lost')),
  add constraint only_what_is_to_end_has_no_end
    check ((state in ('queued', 'running')) = (finished_at is null)),
  add constraint arguments_are_a_bounded_object
    check (jsonb_typeof(arguments) = 'object' and octet_length(arguments::text) <= 16384);

comment on column public.ingestion_jobs.arguments is
  'what an ordered run is to do; lease_until of one that is queued is when nobody wants it any more';

create index ingestion_jobs_queued on public.ingestion_jobs (id) where state = 'queued';

-- A run as of p_now: one whose lease has ended is lost, whether or not anybody has written that down yet; so is an order
-- that nobody took.
create or replace function internal.run_state(p_run public.ingestion_jobs, p_now timestamptz) returns text
language sql
immutable
return case
  when p_run.state in ('queued', 'running') and p_run.lease_until <= p_now then 'lost'
  else p_run.state
end;

create or replace function internal.run_json(p_run public.ingestion_jobs, p_now timestamptz) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
return json_build_object(
  'id', p_run.id,
  'kind', p_run.kind,
  'worker', p_run.worker,
  'trigger', p_run.trigger,
  'state', internal.run_state(p_run, p_now),
  'started_at', p_run.started_at,
  'lease_until', p_run.lease_until,
  'scheduled_time', p_run.scheduled_time,
  'exchange', p_run.exchange,
  'symbol', p_run.symbol,
  'timeframe', p_run.timeframe,
  'start', lower(p_run.span),
  'end', upper(p_run.span),
  'finished_at', case
    when internal.run_state(p_run, p_now) = 'lost' then p_run.lease_until
    else p_run.finished_at
  end,
  'result', p_run.result,
  'error', p_run.error,
  'arguments', p_run.arguments
);

-- Orders a run, as a list of one; of none if p_waiting_max wait already. Said again under the same name, by one who did
-- not hear the answer, it is the same run, as it is now.
create function public.order_run_v1(
  p_kind text,
  p_name text,
  p_now timestamptz,
  p_wait_seconds double precision,
  p_trigger text,
  p_arguments jsonb default '{}',
  p_waiting_max integer default 100
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_wait_seconds_max constant integer := 86400;
  v_run public.ingestion_jobs;
begin
  if p_now is null or not isfinite(p_now) or coalesce(p_wait_seconds, 0) <= 0 or p_wait_seconds > c_wait_seconds_max
  then
    raise exception 'p_now, p_wait_seconds: some time, a wait of at most % seconds', c_wait_seconds_max
      using errcode = 'invalid_parameter_value';
  end if;
  perform pg_advisory_xact_lock(hashtext('market data: ordered runs'));
  select * into v_run from public.ingestion_jobs where worker = p_name;
  if not found then
    if (select count(*) from public.ingestion_jobs where state = 'queued' and lease_until > p_now) >= p_waiting_max then
      return '[]'::json;
    end if;
    insert into public.ingestion_jobs (kind, worker, trigger, state, started_at, lease_until, arguments)
    values (
      p_kind, p_name, p_trigger, 'queued', p_now, p_now + make_interval(secs => p_wait_seconds), p_arguments
    )
    returning * into v_run;
  end if;
  return json_build_array(internal.run_json(v_run, p_now));
end
$$;

-- Begins the oldest run that is queued, as a list of one; of none if nothing is. One of p_exclusive_kinds waits while
-- another of its kind runs. An order that nobody took in its time is lost.
create function public.claim_run_v1(
  p_worker text, p_now timestamptz, p_lease_seconds double precision, p_exclusive_kinds text[] default '{}'
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_lease_seconds_max constant integer := 86400;
  v_run public.ingestion_jobs;
begin
  if coalesce(p_worker, '') = '' or p_now is null or not isfinite(p_now) or coalesce(p_lease_seconds, 0) <= 0
    or p_lease_seconds > c_lease_seconds_max or p_exclusive_kinds is null
  then
    raise exception 'p_worker, p_now, p_lease_seconds: a name, some time, a lease of at most % seconds',
      c_lease_seconds_max
      using errcode = 'invalid_parameter_value';
  end if;
  -- One claim after the other, and none beside a start of an exclusive kind, so that two cannot both find the way free.
  perform pg_advisory_xact_lock(hashtext('market data: ordered runs'));
  perform pg_advisory_xact_lock(hashtext('market data: runs of a job'), hashtext(kind))
  from (
    select distinct kind from public.ingestion_jobs where state = 'queued' and kind = any (p_exclusive_kinds) order by kind
  ) as exclusive;
  update public.ingestion_jobs
  set state = 'lost', finished_at = lease_until
  where lease_until <= p_now and (state = 'queued' or (state = 'running' and kind = any (p_exclusive_kinds)));
  update public.ingestion_jobs
  set state = 'running',
    worker = p_worker,
    started_at = p_now,
    lease_until = p_now + make_interval(secs => p_lease_seconds)
  where id = (
    select queued.id
    from public.ingestion_jobs as queued
    where queued.state = 'queued'
      and not (
        queued.kind = any (p_exclusive_kinds)
        and exists (
          select from public.ingestion_jobs as other where other.kind = queued.kind and other.state = 'running'
        )
      )
    order by queued.id
    limit 1
  )
  returning * into v_run;
  return case when v_run.id is null then '[]'::json else json_build_array(internal.run_json(v_run, p_now)) end;
end
$$;

revoke all on function
  internal.run_json(public.ingestion_jobs, timestamptz),
  public.order_run_v1(text, text, timestamptz, double precision, text, jsonb, integer),
  public.claim_run_v1(text, timestamptz, double precision, text[])
from public, anon, authenticated, service_role;

grant execute on function
  public.order_run_v1(text, text, timestamptz, double precision, text, jsonb, integer),
  public.claim_run_v1(text, timestamptz, double precision, text[])
to service_role;
