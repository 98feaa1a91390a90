"""The `/rest/v1` door of Supabase in front of a PostgREST: it knows API keys, PostgREST knows tokens.

`add_supabase_routes` mounts it on the house's own server; `SupabaseGateway` serves it alone, for tests. Unmodified
supabase-py works with it, with keys of the old kind (tokens) and of the new (`sb_publishable_…`, `sb_secret_…`).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession, ClientTimeout, TCPConnector, web
from marketdata.clock import Clock, SystemClock
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.supabase_binaries import LocalSupabaseError
from local.supabase_keys import SupabaseKeys, sign_role

PREFIX = "/rest/v1"
BODY_BYTES_MAX = 64 * 1024 * 1024
# Hosted Supabase gives up after a minute, too.
ANSWER_SECONDS_MAX = 60
CONNECTIONS_MAX = 100
START_SECONDS_MAX = 10

_TOKEN_SECONDS = 300
_CHUNK_BYTES = 64 * 1024
# RFC 9110, 7.6.1: these speak of one connection, not of the message.
_HOP_HEADERS = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OWN_HEADERS = frozenset(("host", "apikey", "authorization", "expect"))


def add_supabase_routes(app: web.Application, upstream: str, keys: SupabaseKeys, clock: Clock | None = None) -> None:
    """Serve `/rest/v1/*` on `app` from the PostgREST at `upstream`, for whoever has one of `keys`."""
    door = _Door(URL(upstream), keys, clock or SystemClock())
    app.cleanup_ctx.append(door.lifetime)
    app.router.add_route("*", PREFIX, door.handle)
    app.router.add_route("*", PREFIX + "/{path:.*}", door.handle)


class _Door:
    """Turns one request for Supabase into one for PostgREST, and its answer back."""

    def __init__(self, upstream: URL, keys: SupabaseKeys, clock: Clock) -> None:
        self._upstream = upstream
        self._keys = keys
        self._clock = clock
        self._session: ClientSession | None = None

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        """Holds the connections to PostgREST while the app runs."""
        # PostgREST closes idle connections after 30 s; we must be first, or a write would meet a closed one.
        connector = TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=10)
        timeout = ClientTimeout(total=ANSWER_SECONDS_MAX, connect=5)
        async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            yield

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, from the key in its hand to the last byte of the answer."""
        # A browser asks what it may send before it sends a key.
        if request.method != "OPTIONS":
            key = request.headers.get("apikey", "")
            if not key:
                return _refuse(401, "No API key found in request", "No `apikey` request header was found.")
            if self._keys.role_of(key) is None:
                return _refuse(401, "Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")
        if (request.content_length or 0) > BODY_BYTES_MAX:
            return _refuse_size()
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        body = _Body(request)
        try:
            async with self._session.request(
                request.method,
                self._target(request),
                headers=self._headers(request.headers),
                data=body.chunks() if request.body_exists else None,
                allow_redirects=False,
            ) as answer:
                return await _answer(request, answer.status, answer.headers, answer.content.iter_chunked(_CHUNK_BYTES))
        except TimeoutError:
            return _refuse(504, "The database did not answer in time", f"The limit is {ANSWER_SECONDS_MAX} s.")
        except ClientConnectionError:
            if body.is_too_large:
                return _refuse_size()
            return _refuse(503, "The database API is not running", "Start the local Supabase and try again.")

    def _target(self, request: web.Request) -> URL:
        """The same path below the prefix and the same query, byte for byte: filters live in their encoding."""
        path = request.rel_url.raw_path.removeprefix(PREFIX) or "/"
        query = request.rel_url.raw_query_string
        return URL(f"{self._upstream.origin()}{path}{'?' if query else ''}{query}", encoded=True)

    def _headers(self, sent: CIMultiDictProxy[str]) -> CIMultiDict[str]:
        headers = _without_hops(sent, _OWN_HEADERS)
        authorization = self._authorization(sent.get("apikey", ""), sent.get("Authorization"))
        if authorization:
            headers["Authorization"] = authorization
        return headers

    def _authorization(self, key: str, sent: str | None) -> str | None:
        """What PostgREST is told: the caller's own token, else the key; a key of the new kind becomes a short token."""
        token = (sent or f"Bearer {key}").partition(" ")[2].strip()
        role = self._keys.role_of(token)
        if role is None or self._keys.is_token(token):
            return sent or (f"Bearer {key}" if key else None)
        expires_at = int(self._clock.now().timestamp()) + _TOKEN_SECONDS
        return f"Bearer {sign_role(role, self._keys.jwt_secret, expires_at)}"


class _Body:
    """A request's body, passed on as it comes; how long it is may not be known before."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self._received = 0

    @property
    def is_too_large(self) -> bool:
        """Whether more came than is passed on."""
        return self._received > BODY_BYTES_MAX

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces. Raises: ClientConnectionError once it is too large, which ends PostgREST's request."""
        async for chunk in self._content.iter_chunked(_CHUNK_BYTES):
            self._received += len(chunk)
            if self.is_too_large:
                raise ClientConnectionError("the body is too large")
            yield chunk


async def _answer(
    request: web.Request, status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Hand PostgREST's answer on while it arrives; one that breaks off is broken off, never quietly shortened."""
    response = web.StreamResponse(status=status, headers=_without_hops(headers))
    await response.prepare(request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
    except (TimeoutError, ClientPayloadError, ClientConnectionError):
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _without_hops(headers: Mapping[str, str], more: frozenset[str] = frozenset()) -> CIMultiDict[str]:
    """The headers that belong to the message: all but those of the connection, and those that it names."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    dropped = _HOP_HEADERS | more | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _refuse(status: int, message: str, hint: str) -> web.Response:
    return web.json_response({"message": message, "hint": hint}, status=status)


def _refuse_size() -> web.Response:
    return _refuse(413, "The body is too large", f"The limit is {BODY_BYTES_MAX} bytes: send smaller batches.")


class SupabaseGateway:
    """The door alone, on a port of its own and a thread of its own; `url` is what supabase-py is given."""

    def __init__(self, upstream: str, keys: SupabaseKeys, clock: Clock | None = None) -> None:
        self._app = web.Application()
        add_supabase_routes(self._app, upstream, keys, clock)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="supabase gateway", daemon=True)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.url = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(START_SECONDS_MAX)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def _serve(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def _end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(START_SECONDS_MAX)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS_MAX)
        if self._thread.is_alive():
            raise LocalSupabaseError(f"the gateway did not stop within {START_SECONDS_MAX} s")
        self._loop.close()
