-- What ended long ago is forgotten, so that the tables about the work stay small.

create index candle_gaps_by_end on public.candle_gaps (repaired_at) where state not in ('open', 'leased');

-- Forgets at most 10,000 each of the resolved gaps, the runs that finished or were lost, and the resolved alerts that
-- ended before these times; returns how many, as {"gaps": …, "runs": …, "alerts": …}. A gap that reaches beyond
-- p_wanted_since is kept: a scan would find it again, or miss that it was wanted. An alert about history that is no
-- longer wanted is resolved at p_now.
create function public.prune_v1(
  p_now timestamptz,
  p_wanted_since timestamptz,
  p_gaps_before timestamptz,
  p_runs_before timestamptz,
  p_alerts_before timestamptz
) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
  c_rows_max constant integer := 10000;
  v_keys text[];
  v_gaps integer;
  v_runs integer;
  v_alerts integer;
begin
  with old as (
    select id
    from public.candle_gaps
    where state not in ('open', 'leased') and repaired_at < p_gaps_before and upper(span) <= p_wanted_since
    order by repaired_at
    limit c_rows_max
    for update skip locked
  ), gone as (
    delete from public.candle_gaps as gap using old where gap.id = old.id returning gap.id, gap.instrument_id, gap.state
  )
  select
    count(*),
    array_agg(internal.gap_alert_key(instrument.exchange, instrument.symbol, gone.id))
      filter (where gone.state = 'unrecoverable')
  into v_gaps, v_keys
  from gone
  join public.instruments as instrument on instrument.id = gone.instrument_id;
  update public.alerts set state = 'resolved', resolved_at = p_now where state = 'firing' and dedup_key = any (v_keys);
  with old as (
    select id
    from public.ingestion_jobs
    where coalesce(finished_at, lease_until) < p_runs_before
    order by coalesce(finished_at, lease_until)
    limit c_rows_max
    for update skip locked
  )
  delete from public.ingestion_jobs as run using old where run.id = old.id;
  get diagnostics v_runs = row_count;
  with old as (
    select id
    from public.alerts
    where state = 'resolved' and resolved_at < p_alerts_before
    order by resolved_at
    limit c_rows_max
    for update skip locked
  )
  delete from public.alerts as alert using old where alert.id = old.id;
  get diagnostics v_alerts = row_count;
  return json_build_object('gaps', v_gaps, 'runs', v_runs, 'alerts', v_alerts);
end
$$;

revoke all on function public.prune_v1(timestamptz, timestamptz, timestamptz, timestamptz, timestamptz)
from public, anon, authenticated, service_role;

grant execute on function public.prune_v1(timestamptz, timestamptz, timestamptz, timestamptz, timestamptz)
to service_role;
