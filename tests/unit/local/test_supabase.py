"""A local Supabase on a folder: what it keeps, what it leaves behind, and what it says when it cannot start."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from local import supabase_child
from local.supabase import LocalSupabase
from local.supabase_binaries import BinariesMissing, LocalSupabaseError
from tests.conftest import RunningSupabase, require_binaries

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.stack

# Runs one until it is killed; says where.
HOLDER = """
import json, sys, time
from pathlib import Path
from local import supabase_child
from local.supabase import LocalSupabase
with LocalSupabase(Path(sys.argv[1]), fsync=False) as stack:
    print(json.dumps({"dsn": stack.dsn, "rest_url": stack.rest_url}), flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all of these tests: making its database takes a second."""
    require_binaries()
    return tmp_path_factory.mktemp("kept")


def one_stack(folder: Path) -> LocalSupabase:
    return LocalSupabase(folder, fsync=False)


def execute(stack_dsn: str, statement: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(stack_dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def wait_until(condition: Callable[[], bool], seconds_max: float = 10) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.01)


def answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def hold(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that runs on `folder`, and the database's address."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers/marketdata/python")))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, str(json.loads(process.stdout.readline())["dsn"])


def kill(process: subprocess.Popen[str]) -> None:
    """End it without a chance to clean up."""
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_data_and_keys_survive_a_restart(folder: Path) -> None:
    with one_stack(folder) as stack:
        execute(stack.dsn, b"insert into instruments (exchange, symbol, base, quote) values ('x', 'A-B', 'A', 'B')")
        keys = stack.keys
    with one_stack(folder) as stack:
        assert execute(stack.dsn, b"select symbol from instruments") == [("A-B",)]
        assert stack.keys == keys


def test_the_keys_are_for_the_owner_alone(folder: Path) -> None:
    with one_stack(folder) as stack:
        assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(stack.dsn.replace(stack.keys.postgres_password, "guessed"))


def test_a_second_start_on_the_same_folder_is_refused_by_name(folder: Path) -> None:
    with one_stack(folder), pytest.raises(LocalSupabaseError, match=f"in use by another process \\({os.getpid()}\\)"):
        one_stack(folder).start()


def test_after_kill_9_nothing_lingers_and_the_next_start_has_the_data(folder: Path) -> None:
    holder, dsn = hold(folder)
    execute(dsn, b"insert into instruments (exchange, symbol, base, quote) values ('x', 'KILLED', 'A', 'B')")
    kill(holder)
    wait_until(lambda: not answers(dsn))
    with one_stack(folder) as stack:
        assert execute(stack.dsn, b"select symbol from instruments where symbol = 'KILLED'") == [("KILLED",)]


def test_a_start_right_after_kill_9_waits_for_the_old_postgres(folder: Path) -> None:
    holder, _ = hold(folder)
    kill(holder)
    with one_stack(folder) as stack:
        assert answers(stack.dsn)


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["now another program's", "nobody's"])
def test_a_stale_pid_file_does_not_block_the_start(folder: Path, pid: int) -> None:
    with one_stack(folder):
        text = (folder / "postgres" / "postmaster.pid").read_text()
    _, rest = text.split("\n", 1)
    (folder / "postgres" / "postmaster.pid").write_text(f"{pid}\n{rest}")
    with one_stack(folder) as stack:
        assert answers(stack.dsn)


def test_a_postgres_that_runs_on_after_us_is_not_trampled(folder: Path) -> None:
    with one_stack(folder) as stack:
        (folder / "lock").rename(folder / "lock.lost")
        with pytest.raises(LocalSupabaseError, match="a Postgres still runs"):
            LocalSupabase(folder, fsync=False, old_postgres_seconds_max=0.1).start()
        assert answers(stack.dsn)


def test_data_of_another_postgres_is_refused(folder: Path) -> None:
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("16\n")
    try:
        with pytest.raises(LocalSupabaseError, match="made by Postgres 16 and this is 17"):
            one_stack(folder).start()
    finally:
        version.write_text("17\n")


def test_without_the_npm_packages_it_says_what_to_run(tmp_path: Path) -> None:
    stack = LocalSupabase(tmp_path / "data", fsync=False, node_modules=tmp_path)
    with pytest.raises(BinariesMissing, match="run `make install`"):
        stack.start()
    assert not (tmp_path / "data").exists()


def test_a_broken_configuration_is_told_in_postgres_own_words(folder: Path) -> None:
    settings = folder / "postgres" / "postgresql.conf"
    text = settings.read_text()
    settings.write_text(text + "\nno_such_setting = 1\n")
    try:
        with pytest.raises(LocalSupabaseError, match=r"Postgres exited at once: .*configuration file"):
            one_stack(folder).start()
    finally:
        settings.write_text(text)


def test_stopping_is_fast_even_while_somebody_is_connected(folder: Path) -> None:
    stack = one_stack(folder).start()
    connection = psycopg.connect(stack.dsn)
    connection.execute("select 1")
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < 2
    connection.close()


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "chatty.log"
    script = f"yes 'a line of forty characters, over and over' | head -c {supabase_child.LOG_BYTES_MAX * 3}"
    child = supabase_child.Child("chatty", ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, log, signal.SIGTERM)
    with pytest.raises(LocalSupabaseError, match="chatty exited at once: a"):
        child.wait_until(lambda: False, seconds_max=20)
    child.stop(1)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < supabase_child.LOG_BYTES_MAX + 100


def test_a_child_that_never_gets_ready_is_given_up_on(tmp_path: Path) -> None:
    child = supabase_child.Child(
        "sleeper", ["sleep", "60"], {"PATH": "/usr/bin:/bin"}, tmp_path / "log", signal.SIGTERM
    )
    with pytest.raises(LocalSupabaseError, match=r"sleeper was not ready after 0\.05 s: it said nothing"):
        child.wait_until(lambda: False, seconds_max=0.05)
    child.stop(1)


def test_the_roles_have_the_limits_of_hosted_supabase(supabase: RunningSupabase) -> None:
    found = execute(supabase.dsn, b"select rolname, rolconfig[1] from pg_roles where rolconfig is not null")
    assert {str(role): limit for role, limit in found} == {
        "anon": "statement_timeout=3s",
        "authenticated": "statement_timeout=8s",
        "authenticator": "statement_timeout=8s",
    }
