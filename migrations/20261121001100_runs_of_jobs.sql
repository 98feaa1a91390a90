-- The runs of jobs: what ran when, for how long, and what came of it; and what keeps a run from being done twice.

-- One run. It holds a lease while it runs; one whose lease has ended without a word was killed: it is lost. `worker` is
-- one process doing one run, so that it fences a zombie. `result` counts what was done.
create table public.ingestion_jobs (
  id             bigint generated always as identity primary key,
  timeframe      smallint references public.timeframes,
  started_at     timestamptz not null,
  lease_until    timestamptz not null,
  scheduled_time timestamptz,
  finished_at    timestamptz,
  kind           text not null,
  worker         text not null unique,
  trigger        text not null,
  state          text not null default 'running',
  exchange       text,
  symbol         text,
  error          text not null default '',
  span           tstzrange,
  result         jsonb not null default '{}',
  constraint state_is_known
    check (state in ('running', 'succeeded', 'failed', 'lost')),
  constraint only_what_runs_has_no_end
    check ((state = 'running') = (finished_at is null)),
  constraint names_say_something
    check (length(kind) between 1 and 40 and length(worker) between 1 and 200 and length(trigger) between 1 and 40),
  constraint error_is_short
    check (length(error) <= 300),
  constraint result_is_a_bounded_object
    check (jsonb_typeof(result) = 'object' and octet_length(result::text) <= 20000),
  constraint span_begins_and_ends
    check (span is null or (not isempty(span) and isfinite(lower(span)) and isfinite(upper(span))))
);

comment on column public.ingestion_jobs.scheduled_time is
  'the time that a schedule meant; of one kind and time at most one run runs or has succeeded';

create unique index ingestion_jobs_once on public.ingestion_jobs (kind, scheduled_time)
  where state in ('running', 'succeeded');
create index ingestion_jobs_running on public.ingestion_jobs (kind) where state = 'running';
create index ingestion_jobs_by_kind on public.ingestion_jobs (kind, id);
create index ingestion_jobs_by_end on public.ingestion_jobs (coalesce(finished_at, lease_until));

-- A run as of p_now: one whose lease has ended is lost, whether or not anybody has written that down yet.
create function internal.run_state(p_run public.ingestion_jobs, p_now timestamptz) returns text
language sql
immutable
return case when p_run.state = 'running' and p_run.lease_until <= p_now then 'lost' else p_run.state end;

create function internal.run_json(p_run public.ingestion_jobs, p_now timestamptz) returns json
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
  'error', p_run.error
);

-- Begins a run and returns it, or returns the one that stands in its way, whose worker is another: one of that kind and
-- scheduled time that runs or has succeeded, and for an exclusive run any of that kind that runs. Said again by the same
-- worker, who did not hear the answer, it is the same run.
create function public.start_run_v1(
  p_kind text,
  p_worker text,
  p_now timestamptz,
  p_lease_seconds double precision,
  p_trigger text,
  p_scheduled_time timestamptz default null,
  p_exchange text default null,
  p_symbol text default null,
  p_timeframe smallint default null,
  p_span tstzrange default null,
  p_exclusive boolean default false
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_lease_seconds_max constant integer := 86400;
  v_run public.ingestion_jobs;
begin
  if p_now is null or not isfinite(p_now) or coalesce(p_lease_seconds, 0) <= 0 or p_lease_seconds > c_lease_seconds_max
  then
    raise exception 'p_now, p_lease_seconds: some time, a lease of at most % seconds', c_lease_seconds_max
      using errcode = 'invalid_parameter_value';
  end if;
  -- One start of a kind after the other, so that two cannot both find the way free.
  perform pg_advisory_xact_lock(hashtext('market data: runs of a job'), hashtext(p_kind));
  update public.ingestion_jobs
  set state = 'lost', finished_at = lease_until
  where kind = p_kind and state = 'running' and lease_until <= p_now;
  select * into v_run
  from public.ingestion_jobs
  where worker = p_worker
    or (kind = p_kind and scheduled_time = p_scheduled_time and state in ('running', 'succeeded'))
    or (p_exclusive and kind = p_kind and state = 'running')
  order by worker = p_worker desc, (scheduled_time = p_scheduled_time) is true desc, id desc
  limit 1;
  if not found then
    insert into public.ingestion_jobs
      (kind, worker, trigger, started_at, lease_until, scheduled_time, exchange, symbol, timeframe, span)
    values (
      p_kind,
      p_worker,
      p_trigger,
      p_now,
      p_now + make_interval(secs => p_lease_seconds),
      p_scheduled_time,
      p_exchange,
      p_symbol,
      p_timeframe,
      p_span
    )
    returning * into v_run;
  end if;
  return internal.run_json(v_run, p_now);
end
$$;

-- Holds the lease of a run for so long from p_now; false when it had ended: then nothing changed.
create function public.renew_run_v1(
  p_id bigint, p_worker text, p_now timestamptz, p_lease_seconds double precision
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_lease_seconds_max constant integer := 86400;
begin
  if p_now is null or not isfinite(p_now) or coalesce(p_lease_seconds, 0) <= 0 or p_lease_seconds > c_lease_seconds_max
  then
    raise exception 'p_now, p_lease_seconds: some time, a lease of at most % seconds', c_lease_seconds_max
      using errcode = 'invalid_parameter_value';
  end if;
  update public.ingestion_jobs
  set lease_until = p_now + make_interval(secs => p_lease_seconds)
  where id = p_id and worker = p_worker and state = 'running' and lease_until > p_now;
  return found;
end
$$;

-- Ends a run as succeeded or failed; false when its lease had ended: then nothing changed. Said again, by one who did
-- not hear the answer, it is true and changes nothing.
create function public.finish_run_v1(
  p_id bigint, p_worker text, p_now timestamptz, p_state text, p_result jsonb, p_error text default ''
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  if p_now is null or not isfinite(p_now) or p_state is null or p_state not in ('succeeded', 'failed') then
    raise exception 'p_state, p_now: % ends nothing, or not at %', p_state, p_now
      using errcode = 'invalid_parameter_value';
  end if;
  update public.ingestion_jobs
  set state = p_state, finished_at = p_now, result = p_result, error = left(coalesce(p_error, ''), 300)
  where id = p_id and worker = p_worker and state = 'running' and lease_until > p_now;
  return found or exists (
    select from public.ingestion_jobs where id = p_id and worker = p_worker and state = p_state
  );
end
$$;

-- At most p_limit runs with an id below p_before_id, newest first, as of p_now, as one JSON array, so that no cap on
-- rows cuts it. Null asks for every kind, every state.
create function public.get_runs_v1(
  p_now timestamptz,
  p_kind text default null,
  p_states text[] default null,
  p_before_id bigint default null,
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
    select coalesce(json_agg(internal.run_json(found.run, p_now) order by (found.run).id desc), '[]')
    from (
      select run
      from public.ingestion_jobs as run
      where (p_before_id is null or run.id < p_before_id)
        and (p_kind is null or run.kind = p_kind)
        and (p_states is null or internal.run_state(run, p_now) = any (p_states))
      order by run.id desc
      limit p_limit
    ) as found
  );
end
$$;

-- The service role reads the list, and writes it by these functions alone; nobody else sees it but through the API.
alter table public.ingestion_jobs enable row level security;

revoke all on public.ingestion_jobs from public, anon, authenticated, service_role;

grant select on public.ingestion_jobs to service_role;

revoke all on function
  internal.run_state(public.ingestion_jobs, timestamptz),
  internal.run_json(public.ingestion_jobs, timestamptz),
  public.start_run_v1(
    text, text, timestamptz, double precision, text, timestamptz, text, text, smallint, tstzrange, boolean
  ),
  public.renew_run_v1(bigint, text, timestamptz, double precision),
  public.finish_run_v1(bigint, text, timestamptz, text, jsonb, text),
  public.get_runs_v1(timestamptz, text, text[], bigint, integer)
from public, anon, authenticated, service_role;

grant execute on function
  public.start_run_v1(
    text, text, timestamptz, double precision, text, timestamptz, text, text, smallint, tstzrange, boolean
  ),
  public.renew_run_v1(bigint, text, timestamptz, double precision),
  public.finish_run_v1(bigint, text, timestamptz, text, jsonb, text),
  public.get_runs_v1(timestamptz, text, text[], bigint, integer)
to service_role;
