-- What became of gaps and alerts, in an order in which it can be told: a row is its own entry in the list of what is new.

-- `changed_in` is the transaction that last changed what clients are told; null before there was anybody to tell.
alter table public.candle_gaps add column changed_in xid8;
alter table public.alerts add column changed_in xid8;

comment on column public.candle_gaps.changed_in is
  'the transaction that opened, resized or settled it last; leases change nothing that is told';
comment on column public.alerts.changed_in is
  'the transaction in which it fired, flapped or ended last';

create index candle_gaps_by_change on public.candle_gaps (changed_in, id) where changed_in is not null;
create index alerts_by_change on public.alerts (changed_in, number) where changed_in is not null;

create function internal.stamp_news() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end
$$;

create trigger stamp_new_gap before insert on public.candle_gaps
  for each row
  execute function internal.stamp_news();

create trigger stamp_changed_gap before update of state, span on public.candle_gaps
  for each row
  when (
    new.span <> old.span
    or (new.state <> old.state and not (new.state in ('open', 'leased') and old.state in ('open', 'leased')))
  )
  execute function internal.stamp_news();

create trigger stamp_new_alert before insert on public.alerts
  for each row
  execute function internal.stamp_news();

create trigger stamp_changed_alert before update of state, flapping on public.alerts
  for each row
  when (new.state <> old.state or new.flapping <> old.flapping)
  execute function internal.stamp_news();

-- Gaps and alerts that changed since p_after, which is the `after` of an earlier answer, oldest change first, at most
-- p_limit of each: {"after", "gaps": as get_gaps_v1, "alerts": as get_alerts_v2}. Each is told as it is now, once for all
-- changes in between. Without p_after only the place from which on to ask.
-- Transactions end in another order than they began in: nothing is told before all that began earlier have ended, so
-- that no change is passed by. `after` is `transaction.gap:transaction.alert`.
create function public.get_news_v1(p_after text default null, p_limit integer default 1000) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  c_limit_max constant integer := 10000;
  v_ended xid8 := pg_snapshot_xmin(pg_current_snapshot());
  v_gap text[];
  v_alert text[];
  v_answer json;
begin
  if p_limit is null or p_limit not between 1 and c_limit_max then
    raise exception 'p_limit: between 1 and %', c_limit_max using errcode = 'invalid_parameter_value';
  end if;
  if p_after is null then
    return json_build_object('after', format('%s.0:%s.0', v_ended, v_ended), 'gaps', '[]'::json, 'alerts', '[]'::json);
  end if;
  if p_after !~ '^[0-9]{1,19}\.[0-9]{1,18}:[0-9]{1,19}\.[0-9]{1,18}$' then
    raise exception 'p_after: the `after` of an earlier answer' using errcode = 'invalid_parameter_value';
  end if;
  v_gap := string_to_array(split_part(p_after, ':', 1), '.');
  v_alert := string_to_array(split_part(p_after, ':', 2), '.');
  with changed_gaps as materialized (
    select id, changed_in
    from public.candle_gaps
    where (changed_in, id) > (v_gap[1]::xid8, v_gap[2]::bigint) and changed_in < v_ended
    order by changed_in, id
    limit p_limit
  ), changed_alerts as materialized (
    select alert.*
    from public.alerts as alert
    where (changed_in, number) > (v_alert[1]::xid8, v_alert[2]::bigint) and changed_in < v_ended
    order by changed_in, number
    limit p_limit
  )
  select json_build_object(
    'after', concat_ws(
      ':',
      coalesce(
        (select format('%s.%s', changed_in, id) from changed_gaps order by changed_in desc, id desc limit 1),
        split_part(p_after, ':', 1)
      ),
      coalesce(
        (select format('%s.%s', changed_in, number) from changed_alerts order by changed_in desc, number desc limit 1),
        split_part(p_after, ':', 2)
      )
    ),
    'gaps', (
      select coalesce(json_agg(listed order by changed.changed_in, changed.id), '[]')
      from changed_gaps as changed
      join public.gaps_v as listed using (id)
    ),
    'alerts', (select coalesce(json_agg(listed order by changed_in, number), '[]') from changed_alerts as listed)
  )
  into v_answer;
  return v_answer;
end
$$;

revoke all on function internal.stamp_news(), public.get_news_v1(text, integer)
from public, anon, authenticated, service_role;

grant execute on function public.get_news_v1(text, integer) to service_role;
