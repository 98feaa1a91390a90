"""Fetch one file of an archive: patiently, a finite number of times, believing emptiness only with a witness."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Generic

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, contains
from marketdata.errors import RemoteAbsent, RemoteBlocked, RemoteError, RemoteMalformed, RemoteThrottled
from marketdata.exchanges.exchange import ArchiveFile, Request, TickArchive
from marketdata.model.times import EPOCH

from local.imports.library import Entry, FileState, Library
from local.imports.plan import AnyFile


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a file is asked for, and how long is waited between; waits double, with full jitter."""

    tries_max: int = 6
    seconds_first: float = 0.5
    seconds_max: float = 30.0
    throttled_seconds_max: float = 120.0


class Fetcher(Generic[AnyFile]):
    """Brings files into a library; `closed` is when no market traded.

    `ask` paces itself, gives the body of a file, or nothing of one without entries, and raises RemoteError; also for a
    body that cannot be what it should be.
    """

    def __init__(
        self,
        ask: Callable[[AnyFile], bytes],
        library: Library,
        clock: Clock,
        *,
        closed: Spans,
        sleep: Callable[[float], object],
        patience: Patience | None = None,
        random_source: Random | None = None,
    ) -> None:
        self.requests = 0
        self._ask = ask
        self._library = library
        self._clock = clock
        self._closed = closed
        self._sleep = sleep
        self._patience = patience or Patience()
        self._random = random_source or Random()

    def fetch(self, file: AnyFile, *, again: bool = False) -> Entry:
        """The file's entry; `again` asks the exchange even if the library has it.

        A file that cannot be had is `absent`, with every reason that was given. Raises: RemoteThrottled if the exchange
        wants to be left alone for longer than is waited, RemoteBlocked if it shuts us out each time.
        """
        known = None if again else self._library.entry(file.place)
        if known is not None:
            return known
        reasons: list[str] = []
        empty = absent = 0
        for attempt in range(self._patience.tries_max):
            if reasons:
                self._sleep(self._random.uniform(0, self._ceiling(attempt)))
            self.requests += 1
            try:
                body = self._ask(file)
            except RemoteThrottled as throttled:
                self._wait_out(throttled)
                reasons.append(throttled.reason)
            except RemoteAbsent as gone:
                reasons.append(gone.reason)
                absent += 1
                if self._believed(file, absent):
                    break
            except RemoteError as error:
                if isinstance(error, RemoteBlocked) and attempt + 1 == self._patience.tries_max:
                    raise
                reasons.append(_whole(error))
            else:
                if body:
                    return self._library.keep(file.place, body, self._clock.now())
                empty += 1
                if self._believed(file, empty):
                    return self._library.note(file.place, FileState.EMPTY, self._clock.now())
        return self._library.note(file.place, FileState.ABSENT, self._clock.now(), _joined(reasons))

    def _believed(self, file: AnyFile, times: int) -> bool:
        """Whether it is so: said twice, or once of a time at which the calendar says the same."""
        return times > 1 or contains(self._closed, file.span)

    def _ceiling(self, attempt: int) -> float:
        return min(self._patience.seconds_max, self._patience.seconds_first * 2.0**attempt)

    def _wait_out(self, throttled: RemoteThrottled) -> None:
        seconds = (throttled.retry_at - self._clock.now()).total_seconds()
        if seconds > self._patience.throttled_seconds_max:
            raise throttled
        self._sleep(max(0.0, seconds))


def ask_archive(get: Callable[[Request], bytes], archive: TickArchive) -> Callable[[ArchiveFile], bytes]:
    """Asks for the files of an archive of quotes, and reads each at once, so that no bad one is kept."""

    def ask(file: ArchiveFile) -> bytes:
        body = get(file.request)
        if file.timeframe is None:
            return body if len(archive.parse_ticks(body, file)) else b""
        return body if archive.parse_candles(body, file, EPOCH) else b""

    return ask


def _whole(error: RemoteError) -> str:
    cause = f" <- {type(error.__cause__).__name__}: {error.__cause__}" if error.__cause__ else ""
    excerpt = f" ({error.excerpt})" if isinstance(error, RemoteMalformed) and error.excerpt else ""
    return f"{error.reason}{excerpt}{cause}"


def _joined(reasons: list[str]) -> str:
    """Each reason once, with how often it was given."""
    return "; ".join(f"{reasons.count(one)} x {one}" for one in dict.fromkeys(reasons)) or "empty once, not again"
