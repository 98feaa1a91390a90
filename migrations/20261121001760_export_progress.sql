-- How far an export has come, so that whoever takes it up goes on there.

-- As claim_export_v1, but an export that gets on is not given up: counted are the leases since the one under which its
-- last part was written, which is result.progress.attempt.
create function public.claim_export_v2(
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
  set state = 'failed',
    finished_at = p_now,
    error = 'it was begun ' || attempts || ' times and never ended',
    lease_until = null
  where state = 'running'
    and lease_until <= p_now
    and attempts - coalesce((result #>> '{progress,attempt}')::integer, 0) >= p_attempts_max;
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

-- Writes how far an export has come that the worker still holds; false if it does not.
create function public.note_export_v1(p_id text, p_worker text, p_attempts integer, p_progress jsonb) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.exports
  set result = jsonb_build_object('progress', p_progress)
  where id = p_id and worker = p_worker and attempts = p_attempts and state = 'running';
  return found;
end
$$;

revoke all on function
  public.claim_export_v2(text, timestamptz, double precision, integer),
  public.note_export_v1(text, text, integer, jsonb)
from public, anon, authenticated, service_role;

grant execute on function
  public.claim_export_v2(text, timestamptz, double precision, integer),
  public.note_export_v1(text, text, integer, jsonb)
to service_role;
