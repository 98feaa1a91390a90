"""HTTP/1.1 to one server over connections that stay open, on what Python brings along.

A client library costs a function 50 to 90 ms of CPU at each cold start, which a whole answer of the API does not take
(docs/decisions/0019-cold-start.md); the store needs a request, an answer and the time that both may take.
"""

import gzip
import http.client
import select
import ssl
import zlib
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

IDLE_MAX = 16
"""So many connections are kept for the next requests; how many are open is up to how many threads ask at once."""

_GONE = (ConnectionError, http.client.BadStatusLine)


class HttpAnswer(NamedTuple):
    """An answer, whole; names of `headers` in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class HttpLine:
    """Requests to the server of `url`; safe to share between threads.

    Each request may wait `timeout_seconds` for the connection and for every next byte. `url` is http or https and may
    have a path, under which the paths of requests are. Raises: ValueError for another one.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be like https://abc.supabase.co")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._lock = Lock()

    def close(self) -> None:
        """End the connections that are idle; the next request opens another."""
        with self._lock:
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        """The answer to one request, which the caller may repeat: one that meets a connection that the server has left
        is sent again over a new one.

        Raises: OSError where there is no connection, no answer in time (TimeoutError), or an answer that ends too soon;
        HTTPException where what comes is no HTTP.
        """
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, method, path, headers, body)
            except _GONE:
                pass  # It was closed while nobody looked: told below, if a new one fares no better.
        return self._exchange(self._connect(), method, path, headers, body)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> HttpAnswer:
        try:
            connection.request(method, self._path + path, body, {**headers, "Accept-Encoding": "gzip"})
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        told = {name.lower(): value for name, value in response.getheaders()}
        if told.get("content-encoding") == "gzip":
            content = _unpacked(content)
        return HttpAnswer(response.status, told, content)

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that was used before and that the server has not left, the one used last first."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _ended(connection):
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.append(connection)
            oldest = self._idle.popleft() if len(self._idle) > IDLE_MAX else None
        if oldest is not None:
            oldest.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_seconds, context=_trusted()
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)


def _unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise OSError(f"an answer that is no whole gzip: {error}") from error


def _ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has left it: no answer is owed to us, so all that can be read is the end."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Who may sign for a server: those that this machine trusts, or Mozilla's list where it has none of its own."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        import certifi  # noqa: PLC0415 - where it is needed at all

        context.load_verify_locations(certifi.where())
    return context
