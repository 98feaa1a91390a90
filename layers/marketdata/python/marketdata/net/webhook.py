"""One POST to a webhook: to the address that was checked, without redirects, bounded in time and answer. Synchronous.

The standard library's client and not httpx: here the socket is ours, so that the name is looked up once and the
connection goes to the very address that was judged. TLS still proves the name.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from marketdata.errors import RequestInvalid
from marketdata.net.public_address import Door, Resolve, public_door, resolve

TIMEOUT_SECONDS = 15.0
ANSWER_BYTES_MAX = 4_096
"""An answer is read so far, so that the connection ends in order; nothing in it matters but its status."""
_LOOKUPS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="webhook-lookup")
"""The system's lookup knows no deadline: it is waited for in another thread."""


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What came of one POST: the receiver's `status`, or None and why there is none.

    `retry_after`: the seconds it asks to be left alone.
    """

    status: int | None
    error: str = ""
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


class Webhooks:
    """Sends bodies to addresses. `allow_local` lets them be on this machine or network; `find` looks hosts up."""

    def __init__(
        self,
        *,
        allow_local: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
        find: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_local = allow_local
        self._timeout_seconds = timeout_seconds
        self._find = find
        self._trust = trust

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        """Send it once. Never raises for what the network or the receiver does; the error names no address."""
        try:
            door = self._look_up(url)
        except RequestInvalid as error:
            return WebhookAnswer(None, f"refused: {error.reason}")
        except (OSError, UnicodeError, FutureTimeout) as error:
            return WebhookAnswer(None, f"the host is not found ({type(error).__name__})")
        try:
            return self._send(door, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return WebhookAnswer(None, f"no answer ({type(error).__name__})")

    def _look_up(self, url: str) -> Door:
        found: Future[Door] = _LOOKUPS.submit(public_door, url, self._find, allow_local=self._allow_local)
        return found.result(timeout=self._timeout_seconds)

    def _send(self, door: Door, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        connection = _Pinned(door, self._timeout_seconds, self._context(door))
        sent = {**headers, "Host": door.host_header, "Connection": "close"}
        # Each read has a time-out of its own; a receiver that drips its answer is cut off as a whole.
        with _Deadline(self._timeout_seconds, connection.cut):
            try:
                connection.request("POST", door.path, body, sent)
                answer = connection.getresponse()
                answer.read(ANSWER_BYTES_MAX)
                return _answered(answer)
            finally:
                connection.close()

    def _context(self, door: Door) -> ssl.SSLContext | None:
        if door.scheme != "https":
            return None
        if self._trust is None:
            self._trust = ssl.create_default_context()  # read once, by the first delivery that needs it
        return self._trust


class _Pinned(http.client.HTTPConnection):
    """A connection to an address, that speaks to a host."""

    def __init__(self, door: Door, timeout_seconds: float, context: ssl.SSLContext | None) -> None:
        super().__init__(door.host, door.port, timeout=timeout_seconds)
        self._door = door
        self._context = context
        self._is_over = False

    def connect(self) -> None:
        """To the address that was checked, whatever the host's name says by now."""
        plain = socket.create_connection((self._door.address, self._door.port), self.timeout)
        self.sock = plain
        if self._is_over:
            raise TimeoutError
        if self._context is not None:
            try:
                self.sock = self._context.wrap_socket(plain, server_hostname=self._door.host)
            except BaseException:
                plain.close()
                raise

    def cut(self) -> None:
        """End it, whoever reads from it."""
        self._is_over = True
        sock = self.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it had ended by itself


class _Deadline:
    """Calls `cut` when the time is over, unless the work is done by then."""

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _answered(answer: http.client.HTTPResponse) -> WebhookAnswer:
    status = answer.status
    if 200 <= status < 300:
        return WebhookAnswer(status)
    if 300 <= status < 400:
        return WebhookAnswer(status, f"HTTP {status}: redirects are not followed")
    return WebhookAnswer(status, f"HTTP {status}", _seconds(answer))


def _seconds(answer: http.client.HTTPResponse) -> float | None:
    """What Retry-After asks for: seconds, or a date, which counts from the answer's own."""
    asked = (answer.getheader("Retry-After") or "").strip()
    if asked.isdecimal() and len(asked) < 10:
        return float(asked)
    try:
        until, now = parsedate_to_datetime(asked), parsedate_to_datetime(answer.getheader("Date") or "")
        return (until - now).total_seconds()
    except (ValueError, TypeError):
        return None
