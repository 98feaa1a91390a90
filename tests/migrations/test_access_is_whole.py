"""Nothing is left out of who may do what: the catalog of the database itself is held against test_access.py's law.

What is new in the schema fails here until somebody has said who may do what with it.
"""

from itertools import product

import pytest

from tests.migrations.database import Database
from tests.migrations.test_access import (
    CALLABLE_BY_ALL,
    FUNCTIONS,
    READABLE_BY_ALL,
    ROLES,
    ROWS,
    VERBS,
    VIEWS,
    allowed,
)

OURS = ("public", "internal", "parts", "supabase_migrations")
HIDDEN = ("internal", "parts", "supabase_migrations")
OWNER = "postgres"


def relations(database: Database, schema: str) -> dict[str, str]:
    """Tables and views of a schema, and the kind of each."""
    found = database.rows(
        "select relname, relkind::text from pg_class"
        " where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')",
        schema,
    )
    return {str(name): str(kind) for name, kind in found}


def functions(database: Database, schema: str) -> set[str]:
    """Functions of a schema that are not an extension's, by name and arguments."""
    found = database.rows(
        "select proname || '(' || pg_get_function_identity_arguments(oid) || ')' from pg_proc"
        " where pronamespace = %s::regnamespace"
        " and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')",
        schema,
    )
    return {str(name) for (name,) in found}


def test_every_table_and_view_that_is_exposed_is_in_the_law(database: Database) -> None:
    found = relations(database, "public")
    assert set(found) == set(ROWS)
    assert {name for name, kind in found.items() if kind in ("v", "m")} == VIEWS
    assert set(ROWS) >= READABLE_BY_ALL


def test_every_function_that_is_exposed_is_in_the_law_or_nobody_s_to_call(database: Database) -> None:
    exposed = {name.partition("(")[0] for name in functions(database, "public")}
    assert exposed == set(FUNCTIONS)
    assert set(FUNCTIONS) >= CALLABLE_BY_ALL


@pytest.mark.parametrize(("role", "verb"), list(product(ROLES, VERBS)))
def test_the_database_grants_what_the_law_says(database: Database, role: str, verb: str) -> None:
    """As the catalog has it, beside what test_access.py tries: a grant that no request met would show here."""
    granted = {
        str(name)
        for (name,) in database.rows(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')"
            " and has_table_privilege(%s, oid, %s)",
            role,
            verb,
        )
    }
    assert granted == {table for table in ROWS if allowed(role, table, verb)}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_truncates_refers_to_or_hangs_a_trigger_on_anything(database: Database, role: str) -> None:
    assert (
        database.rows(
            "select oid::regclass::text, privilege"
            " from pg_class, unnest(array['truncate', 'references', 'trigger']) privilege"
            " where relnamespace::regnamespace::text = any (%s) and relkind in ('r', 'p')"
            " and has_table_privilege(%s, oid, privilege)",
            list(OURS),
            role,
        )
        == []
    )


@pytest.mark.parametrize(("role", "schema"), list(product(ROLES, HIDDEN)))
def test_what_is_hidden_is_out_of_every_role_s_reach(database: Database, role: str, schema: str) -> None:
    assert database.value("select has_schema_privilege(%s, %s, 'usage')", role, schema) is False
    assert (
        database.rows(
            "select oid::regprocedure::text from pg_proc where pronamespace = %s::regnamespace"
            " and has_function_privilege(%s, oid, 'execute')",
            schema,
            role,
        )
        == []
    )
    assert (
        database.rows(
            "select oid::regclass::text, verb from pg_class, unnest(%s::text[]) verb"
            " where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'v')"
            " and has_table_privilege(%s, oid, verb)",
            list(VERBS),
            schema,
            role,
        )
        == []
    )


@pytest.mark.parametrize("role", ROLES)
def test_each_role_calls_what_the_law_says_and_no_other_spelling_of_it(database: Database, role: str) -> None:
    callable_ = database.rows(
        "select proname from pg_proc where pronamespace = 'public'::regnamespace"
        " and has_function_privilege(%s, oid, 'execute')"
        " and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')",
        role,
    )
    wanted = set(FUNCTIONS) if role == "service_role" else CALLABLE_BY_ALL
    assert sorted(str(name) for (name,) in callable_) == sorted(wanted)


def test_the_owner_owns_everything_and_may_do_everything(database: Database) -> None:
    strangers = database.rows(
        "select oid::regclass::text from pg_class where relnamespace::regnamespace::text = any (%s)"
        " and relkind in ('r', 'p', 'v') and pg_get_userbyid(relowner) <> current_user",
        list(OURS),
    )
    assert strangers == []
    for table, verb in product(ROWS, VERBS):
        assert database.value("select has_table_privilege(current_user, %s, %s)", f'public."{table}"', verb), table


def test_every_view_asks_with_the_rights_of_whoever_reads_it(database: Database) -> None:
    loose = database.rows(
        "select oid::regclass::text from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace"
        " and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)"
    )
    assert loose == []


def test_partitions_carry_row_level_security_or_lie_where_nobody_reaches(database: Database) -> None:
    exposed = database.rows(
        "select inhrelid::regclass::text from pg_inherits join pg_class on pg_class.oid = inhrelid"
        " where relkind = 'r' and relnamespace::regnamespace::text <> 'parts'"
    )
    assert exposed == []


def test_what_is_created_tomorrow_is_nobody_s_until_it_is_granted(database: Database) -> None:
    """Supabase's default grants give new tables of `public` to every role; the first test of this file finds them."""
    database.run("create table public.new_thing (id integer)")
    try:
        assert set(relations(database, "public")) - set(ROWS) == {"new_thing"}
    finally:
        database.run("drop table public.new_thing")
