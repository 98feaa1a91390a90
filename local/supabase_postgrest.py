"""The real PostgREST in front of a Postgres."""

import http.client
import signal
from pathlib import Path

from local.supabase_binaries import LocalSupabaseError
from local.supabase_child import Child
from local.supabase_keys import SupabaseKeys
from local.supabase_ports import free_port

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 5.0
_ATTEMPTS_MAX = 3
_CONNECTIONS_MAX = 20


class Postgrest:
    """One PostgREST on 127.0.0.1, showing the schema `public` of the database behind `postgres_port`."""

    def __init__(self, executable: Path, folder: Path, keys: SupabaseKeys, *, max_rows: int) -> None:
        self._executable = executable
        self._folder = folder
        self._keys = keys
        self._max_rows = max_rows
        self._child: Child | None = None
        self.port = 0
        self._admin_port = 0

    def start(self, postgres_port: int) -> None:
        """Serve what is behind `postgres_port`. Raises: LocalSupabaseError.

        The roles must be there: after a failed connect PostgREST waits longer and longer.
        """
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            if self._serve(postgres_port, last=attempt == _ATTEMPTS_MAX):
                return

    @property
    def ended(self) -> str:
        """Why it runs no more; empty while it runs or was never started."""
        child = self._child
        if child is None or child.exit_code is None:
            return ""
        return f"PostgREST ended ({child.exit_code}): {child.complaint()}"

    def stop(self) -> None:
        """Stop at once."""
        if self._child is not None:
            self._child.stop(STOP_SECONDS_MAX)
            self._child = None

    def _serve(self, postgres_port: int, *, last: bool) -> bool:
        """True once it is ready; False if somebody was faster to take a port, and it is worth another try."""
        self.port, self._admin_port = free_port(), free_port()
        self._child = Child(
            "PostgREST",
            [str(self._executable)],
            self._environment(postgres_port),
            self._folder / "postgrest.log",
            signal.SIGTERM,
        )
        try:
            self._child.wait_until(self._is_ready, START_SECONDS_MAX)
        except LocalSupabaseError:
            taken = self._child.said("Address already in use") or self._child.said("resource busy")
            self.stop()
            if taken and not last:
                return False
            raise
        return True

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin_port, timeout=2)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _environment(self, postgres_port: int) -> dict[str, str]:
        password = self._keys.authenticator_password
        return {
            "PATH": "/usr/bin:/bin",
            "PGRST_DB_URI": f"postgresql://authenticator:{password}@127.0.0.1:{postgres_port}/postgres",
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_MAX_ROWS": str(self._max_rows),
            "PGRST_DB_POOL": str(_CONNECTIONS_MAX),
            "PGRST_JWT_SECRET": self._keys.jwt_secret,
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self.port),
            "PGRST_ADMIN_SERVER_PORT": str(self._admin_port),
            "PGRST_LOG_LEVEL": "error",
        }
