"""API Gateway on one machine: an aiohttp request becomes the event that API Gateway would send to the real handler.

One worker thread calls all handlers, as Lambda gives each process one event at a time.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from aiohttp import web
from marketdata.clock import Clock, SystemClock
from marketdata.wiring import close_shared_store

from infra.catalog import DEFAULT_PATH, FUNCTIONS, ROUTES, Function, Route
from local.invocation import Handler, context_of, load_handler

logger = logging.getLogger("marketdata.local.api_gateway")

REQUEST_BYTES_MAX = 10 * 2**20
ANSWER_BYTES_MAX = 6 * 2**20
WAITING_MAX = 100
API_PREFIX = "/v1"

_NO_CONTENT_TYPE = "text/plain;charset=utf-8"


class TooLong(Exception):
    """A request body that API Gateway would not take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def response(self) -> web.Response:
        """As aiohttp sends it."""
        response = web.Response(status=self.status, body=self.body)
        response.headers.popall("Content-Type", None)
        for name, value in self.headers:
            response.headers.add(name, value)
        return response


def add_api_routes(
    app: web.Application,
    *,
    functions: Sequence[Function] = FUNCTIONS,
    routes: Sequence[Route] = ROUTES,
    handlers: Mapping[str, Handler] | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve `routes` in `app` with their functions' handlers; `handlers` by function name replaces the real ones.

    The default route takes what is below /v1 and no other route takes; the rest of the application is not ours.
    """
    by_name = {function.name: function for function in functions}
    called = handlers or {name: load_handler(function) for name, function in by_name.items()}
    gateway = _Gateway(clock or SystemClock())
    for route in sorted(routes, key=lambda route: route.path == DEFAULT_PATH):
        take = gateway.taking(route, by_name[route.function], called[route.function])
        if route.path == DEFAULT_PATH:
            app.router.add_route("*", API_PREFIX + "/{path:.*}", take)
        else:
            app.router.add_route(route.method, route.path, take)
    app.on_cleanup.append(gateway.close)


class _Gateway:
    """The worker thread, and how many requests wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lambda")
        self._waiting = 0

    def taking(
        self, route: Route, function: Function, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """aiohttp's handler of one route."""

        async def take(request: web.Request) -> web.StreamResponse:
            try:
                event = _event(request, route, await _body(request), self._clock.now())
            except TooLong:
                return _refusal(413, "Request Entity Too Large").response()
            return (await self._invoke(function, handler, event)).response()

        return take

    async def close(self, _: web.Application) -> None:
        """Let go of the worker and of the functions' connections; an invocation that runs is not waited for."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        close_shared_store()

    async def _invoke(self, function: Function, handler: Handler, event: dict[str, Any]) -> Answer:
        if self._waiting >= WAITING_MAX:
            return _refusal(429, "Too Many Requests")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            call = loop.run_in_executor(self._worker, _call, function, handler, event)
            return await asyncio.wait_for(call, function.timeout_seconds)
        except TimeoutError:
            logger.warning("function timed out", extra={"function": function.name, "path": event["rawPath"]})
            return _refusal(504, "Endpoint request timed out")
        finally:
            self._waiting -= 1


def _call(function: Function, handler: Handler, event: dict[str, Any]) -> Answer:
    """Invoke the handler and read its answer; on the worker thread."""
    try:
        return _answer(handler(event, context_of(function)))
    except Exception:
        logger.exception("function failed", extra={"function": function.name, "path": event["rawPath"]})
        return _refusal(500, "Internal Server Error")


async def _body(request: web.Request) -> bytes:
    """The body, whatever the application's own limit. Raises: TooLong."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(2**16):
        body += chunk
        if len(body) > REQUEST_BYTES_MAX:
            raise TooLong
    return bytes(body)


def _event(request: web.Request, route: Route, body: bytes, now: datetime) -> dict[str, Any]:
    """Payload format 2.0."""
    headers = _joined(((name.lower(), value) for name, value in request.headers.items()))
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    raw_query = request.rel_url.raw_query_string
    query = _joined(parse_qsl(raw_query, keep_blank_values=True))
    route_key = route.path if route.path == DEFAULT_PATH else f"{route.method} {route.path}"
    text, encoded = _text(body)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": raw_query,
        "headers": headers,
        "requestContext": _request_context(request, route_key, now),
        "isBase64Encoded": encoded,
    }
    parameters = {} if route.path == DEFAULT_PATH else dict(request.match_info)
    optional = {"cookies": cookies, "queryStringParameters": query, "pathParameters": parameters, "body": text}
    return event | {name: value for name, value in optional.items() if value}


def _request_context(request: web.Request, route_key: str, now: datetime) -> dict[str, Any]:
    return {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
            "sourceIp": request.remote or "",
            "userAgent": request.headers.get("User-Agent", ""),
        },
        "requestId": str(uuid4()),
        "routeKey": route_key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names joined with commas, as this payload format has them."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _text(body: bytes) -> tuple[str, bool]:
    """The body as an event carries it, and whether it is in base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _answer(answered: Any) -> Answer:
    """A handler's answer over HTTP; one without a status code is the body of a 200."""
    # Lambda sends the whole answer as JSON and cuts off there, so it is measured there.
    encoded = msgspec.json.encode(answered)
    if len(encoded) > ANSWER_BYTES_MAX:
        logger.error("answer too large for Lambda", extra={"bytes": len(encoded)})
        return _refusal(500, "Internal Server Error")
    if not isinstance(answered, dict) or "statusCode" not in answered:
        body = answered.encode() if isinstance(answered, str) else encoded
        return Answer(200, [("Content-Type", "application/json")], body)
    headers = {name: str(value) for name, value in (answered.get("headers") or {}).items()}
    cookies = [("Set-Cookie", str(cookie)) for cookie in answered.get("cookies") or ()]
    text = answered.get("body") or ""
    body = base64.b64decode(text) if answered.get("isBase64Encoded") else text.encode()
    if body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = _NO_CONTENT_TYPE
    return Answer(int(answered["statusCode"]), [*headers.items(), *cookies], body)


def _refusal(status: int, message: str) -> Answer:
    """API Gateway's own words."""
    return Answer(status, [("Content-Type", "application/json")], msgspec.json.encode({"message": message}))
