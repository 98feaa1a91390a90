"""A server process that we start, watch, and never leave behind."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from local.supabase_binaries import LocalSupabaseError

LOG_BYTES_MAX = 4_000_000
_POLL_SECONDS = 0.01


class Child:
    """One running server.

    It gets its own session, so that Ctrl-C reaches us alone and we decide the order in which things stop. If we die
    without a word (kill -9), a tiny shell whose standard input we hold sees it closed and sends the child
    `stop_signal`. Linux' parent-death signal would do that too, but it fires when the *thread* that started the child
    ends, and it exists nowhere else.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, stop_signal: signal.Signals
    ) -> None:
        self.name = name
        self._log = log
        self._stop_signal = stop_signal
        self._last_lines: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._guard = _start_guard(self._process.pid, stop_signal)
        self._pump = threading.Thread(target=self._keep_log, name=f"{name} log", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], seconds_max: float) -> None:
        """Return when `ready()`. Raises: LocalSupabaseError if the child exits or the time is up before."""
        deadline = time.monotonic() + seconds_max
        while not ready():
            if self._process.poll() is not None:
                self._pump.join(timeout=1)
                raise LocalSupabaseError(f"{self.name} exited at once: {self.complaint()} (see {self._log})")
            if time.monotonic() > deadline:
                raise LocalSupabaseError(
                    f"{self.name} was not ready after {seconds_max:g} s: {self.complaint()} (see {self._log})"
                )
            time.sleep(_POLL_SECONDS)

    def complaint(self) -> str:
        """The last thing it said."""
        return self._last_lines[-1] if self._last_lines else "it said nothing"

    def said(self, words: str) -> bool:
        """Whether one of its last lines has these words."""
        return any(words in line for line in self._last_lines)

    def stop(self, seconds_max: float) -> None:
        """Ask it to stop, insist after `seconds_max`, and leave nothing behind."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pump.join(timeout=1)

    def kill(self) -> None:
        """End it as a crash does, without a word; one that has ended already is only waited for."""
        self._process.kill()
        self._process.wait()
        self._pump.join(timeout=1)

    def _keep_log(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            _write_bounded(self._log, self._remembered(lines))
        # The child is gone, so its number may be given to another process: the guard must not act on it any more.
        _end_guard(self._guard)

    def _remembered(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self._last_lines.append(line.decode("utf-8", "replace").strip())
            yield line


def _start_guard(pid: int, stop_signal: signal.Signals) -> subprocess.Popen[bytes]:
    script = 'read -r _; kill -s "$1" "$2" 2>/dev/null'
    return subprocess.Popen(  # noqa: S603 - the script is ours
        ["/bin/sh", "-c", script, "guard", stop_signal.name.removeprefix("SIG"), str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end_guard(guard: subprocess.Popen[bytes]) -> None:
    guard.kill()
    guard.wait()
    assert guard.stdin is not None
    guard.stdin.close()


def _write_bounded(log: Path, lines: Iterable[bytes]) -> None:
    """Append; a full log becomes the one `.old` log, so that two files of LOG_BYTES_MAX are the most there is."""
    file = log.open("ab", buffering=0)
    try:
        for line in lines:
            file.write(line)
            if file.tell() > LOG_BYTES_MAX:
                file.close()
                os.replace(log, log.with_suffix(".old.log"))
                file = log.open("ab", buffering=0)
    finally:
        file.close()
