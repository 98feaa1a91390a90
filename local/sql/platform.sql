-- The part of the Supabase platform that migrations and clients rely on: roles, the schemas `auth` and `extensions`, default
-- privileges and the reload of the API's schema cache. Runs at every start, before the migrations, and changes nothing twice.
-- Source: https://supabase.com/docs/guides/database/postgres/roles and /guides/database/postgres/timeouts
do $$
begin
  if not exists (select from pg_roles where rolname = 'authenticator') then
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit;
    grant anon, authenticated, service_role to authenticator;
  end if;
end
$$;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

create schema if not exists auth;
create schema if not exists extensions;
grant usage on schema public, auth, extensions to anon, authenticated, service_role;

-- The claims of the caller's token, as PostgREST passes them on.
create or replace function auth.jwt() returns jsonb
language sql
stable
return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;

-- The role that the caller's token claims.
create or replace function auth.role() returns text
language sql
stable
return auth.jwt() ->> 'role';

-- The user that the caller's token claims.
create or replace function auth.uid() returns uuid
language sql
stable
return (auth.jwt() ->> 'sub')::uuid;

alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- Tells PostgREST to read the schema anew after every change of it.
create or replace function extensions.pgrst_ddl_watch() returns event_trigger
language plpgsql
as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp') then
    notify pgrst, 'reload schema';
  end if;
end
$$;

-- Tells PostgREST to read the schema anew after something of it was dropped.
create or replace function extensions.pgrst_drop_watch() returns event_trigger
language plpgsql
as $$
begin
  if exists (select from pg_event_trigger_dropped_objects() where not is_temporary) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'pgrst_ddl_watch') then
    create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
    create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_drop_watch();
  end if;
end
$$;
