"""The small runner and the real Supabase CLI bring a database to the same end, in either order."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.rows import scalar_row

from local.migrate import MIGRATIONS, MigrationFailed, apply_migrations
from local.supabase_binaries import NODE_MODULES, this_platform
from tests.conftest import RunningSupabase
from tests.migrations.database import new_database

CLI = NODE_MODULES / "@supabase" / f"cli-{this_platform()}" / "bin" / "supabase"
CLI_SECONDS_MAX = 60
FILES = sorted(path.name for path in MIGRATIONS.glob("*.sql"))

# Everything that migrations make, one line of text for each thing.
CATALOG: tuple[LiteralString, ...] = (
    """select format('schema %s %s', nspname, nspacl) from pg_namespace where nspname !~ '^pg_(temp|toast)'""",
    """select format('relation %s %s rls=%s/%s partition=%s options=%s acl=%s view=%s', oid::regclass, relkind,
        relrowsecurity, relforcerowsecurity, pg_get_expr(relpartbound, oid), reloptions, relacl,
        case when relkind = 'v' then pg_get_viewdef(oid) end)
       from pg_class where relnamespace = any ($1)""",
    """select format('column %s.%s %s notnull=%s default=%s identity=%s comment=%s', attrelid::regclass, attname,
        format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity,
        col_description(attrelid, attnum))
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       join pg_class on pg_class.oid = attrelid
       where attnum > 0 and not attisdropped and relnamespace = any ($1)""",
    """select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
       from pg_constraint where connamespace = any ($1)""",
    """select format('index %s', pg_get_indexdef(oid))
       from pg_class where relkind in ('i', 'I') and relnamespace = any ($1)""",
    """select format('function %s acl=%s', pg_get_functiondef(oid), proacl)
       from pg_proc where pronamespace = any ($1)""",
    """select format('trigger %s %s', pg_get_triggerdef(pg_trigger.oid), tgenabled)
       from pg_trigger join pg_class on pg_class.oid = tgrelid
       where not tgisinternal and relnamespace = any ($1)""",
    """select format('policy %s %s %s %s %s %s %s', schemaname, tablename, policyname, roles, cmd, qual, with_check)
       from pg_policies""",
    """select format('row %s', timeframes) from public.timeframes""",
    """select format('applied %s %s', version, name) from supabase_migrations.schema_migrations""",
)


@pytest.fixture
def bare(supabase: RunningSupabase) -> Iterator[str]:
    """A database that hosted Supabase would hand over: nothing in it yet."""
    with new_database(supabase.dsn, "bare") as dsn:
        yield dsn


@pytest.fixture
def other(supabase: RunningSupabase) -> Iterator[str]:
    """Another one."""
    with new_database(supabase.dsn, "other") as dsn:
        yield dsn


def catalog(dsn: str) -> list[str]:
    """What is in the database, as sorted text."""
    with psycopg.connect(dsn) as connection:
        cursor = psycopg.RawCursor(connection, row_factory=scalar_row)
        schemas = cursor.execute(
            "select array_agg(oid) from pg_namespace where nspname in ('public', 'internal', 'parts')"
        ).fetchone()
        lines = [
            line for query in CATALOG for line in cursor.execute(query, [schemas] if "$1" in query else None).fetchall()
        ]
    return sorted(map(str, lines))


def push(dsn: str, folder: Path) -> str:
    """What `supabase db push` says, run as the deployment guide has it, from a folder of its own."""
    if not CLI.exists():
        pytest.skip(f"the npm package supabase is not installed for {this_platform()} (no {CLI}): run `make install`")
    (folder / "supabase").mkdir(exist_ok=True)
    migrations = folder / "supabase" / "migrations"
    if not migrations.exists():
        # The committed link, so that it is what the CLI goes through.
        migrations.symlink_to(MIGRATIONS.parent / "supabase" / "migrations")
    command = [str(CLI), "db", "push", f"--remote={dsn}?sslmode=disable", "--yes", "--workdir", str(folder)]
    finished = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=CLI_SECONDS_MAX,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def test_the_runner_and_the_cli_make_the_same_database_and_go_on_from_each_other(
    bare: str, other: str, tmp_path: Path
) -> None:
    assert apply_migrations(bare) == FILES
    assert FILES[-1] in push(other, tmp_path)
    assert catalog(bare) == catalog(other)
    assert len(catalog(bare)) > 200

    assert apply_migrations(other) == []
    assert "up to date" in push(bare, tmp_path)
    assert catalog(bare) == catalog(other)


def test_applying_twice_applies_once(bare: str) -> None:
    sentences: list[str] = []
    assert apply_migrations(bare, announce=sentences.append) == FILES
    assert sentences == [f"applying {name}" for name in FILES]
    assert apply_migrations(bare) == []


def test_two_runners_at_once_share_the_work(bare: str) -> None:
    applied: list[str] = []
    runners = [threading.Thread(target=lambda: applied.extend(apply_migrations(bare))) for _ in range(2)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert sorted(applied) == FILES


def test_a_database_with_migrations_of_somebody_else_is_left_alone(bare: str, tmp_path: Path) -> None:
    (tmp_path / "20300101000000_later.sql").write_text("create table later ();")
    apply_migrations(bare, tmp_path)
    before = catalog_of_tables(bare)
    with pytest.raises(MigrationFailed, match=r"has migrations that .* has not \(20300101000000\)"):
        apply_migrations(bare)
    assert catalog_of_tables(bare) == before


def test_a_file_that_fails_leaves_no_trace_and_names_itself(bare: str, tmp_path: Path) -> None:
    (tmp_path / "1_good.sql").write_text("create table good ();")
    (tmp_path / "2_bad.sql").write_text("create table half_done (); select 1 / 0;")
    (tmp_path / "3_never.sql").write_text("create table never ();")
    with pytest.raises(MigrationFailed, match=r"2_bad\.sql: division by zero"):
        apply_migrations(bare, tmp_path)
    assert catalog_of_tables(bare) == ["good"]
    (tmp_path / "2_bad.sql").write_text("create table better ();")
    assert apply_migrations(bare, tmp_path) == ["2_bad.sql", "3_never.sql"]
    assert catalog_of_tables(bare) == ["better", "good", "never"]


def test_a_database_that_is_away_and_a_folder_without_migrations_are_told_apart(bare: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="there are no migrations in"):
        apply_migrations(bare, tmp_path)
    with pytest.raises(MigrationFailed, match="the database cannot be reached"):
        apply_migrations("postgresql://127.0.0.1:1/nothing")


def catalog_of_tables(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select relname from pg_class where relnamespace = 'public'::regnamespace")
        return sorted(str(row[0]) for row in found)
