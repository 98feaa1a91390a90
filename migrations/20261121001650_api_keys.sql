-- Keys that let callers in. A key has 256 random bits, so its digest needs no salt and tells nothing of it; what it
-- begins with is no secret, and is what it is called by.
create table public.api_keys (
  prefix     text primary key,
  name       text not null,
  scope      text not null,
  digest     text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint keys_say_something
    check (length(prefix) between 1 and 40 and length(name) between 1 and 100 and digest ~ '^[0-9a-f]{64}$'),
  constraint scopes_are_known check (scope in ('ingest', 'read')),
  constraint keys_live_for_a_time check (expires_at > created_at)
);

-- Adds a key; saying the same again changes nothing. False if its prefix is another key's.
create function public.add_api_key_v1(
  p_prefix text, p_name text, p_scope text, p_digest text, p_created_at timestamptz, p_expires_at timestamptz
) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into public.api_keys (prefix, name, scope, digest, created_at, expires_at)
  values (p_prefix, p_name, p_scope, p_digest, p_created_at, p_expires_at)
  on conflict (prefix) do nothing;
  return exists (select from public.api_keys where prefix = p_prefix and digest = p_digest);
end
$$;

-- The key of that prefix, or (null) the first 10,000 there are, oldest first; as one JSON array.
create function public.get_api_keys_v1(p_prefix text default null) returns json
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
  select coalesce(json_agg(key order by created_at, prefix), '[]')
  from (
    select prefix, name, scope, digest, created_at, expires_at, revoked_at
    from public.api_keys
    where p_prefix is null or prefix = p_prefix
    order by created_at, prefix
    limit 10000
  ) as key
$$;

-- Ends a key for good. False if there is none of that prefix; one that was revoked stays as it was.
create function public.revoke_api_key_v1(p_prefix text, p_now timestamptz) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.api_keys set revoked_at = p_now where prefix = p_prefix and revoked_at is null;
  return exists (select from public.api_keys where prefix = p_prefix);
end
$$;

alter table public.api_keys enable row level security;

revoke all on public.api_keys from public, anon, authenticated, service_role;
grant select on public.api_keys to service_role;

revoke all on function
  public.add_api_key_v1(text, text, text, text, timestamptz, timestamptz),
  public.get_api_keys_v1(text),
  public.revoke_api_key_v1(text, timestamptz)
from public, anon, authenticated, service_role;

grant execute on function
  public.add_api_key_v1(text, text, text, text, timestamptz, timestamptz),
  public.get_api_keys_v1(text),
  public.revoke_api_key_v1(text, timestamptz)
to service_role;
