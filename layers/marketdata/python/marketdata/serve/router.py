"""Which handler answers a request, and what a handler is given and gives: API Gateway's events, payload format 2.0.

    @router.get("/v1/ticks/<symbol>")
    def ticks(request: Request, symbol: str) -> Response:

Nothing of a request is kept, so one router serves threads at once. Powertools' resolver does neither that nor a cold
start that we can afford (docs/decisions/0019-cold-start.md).
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from marketdata.errors import NotFound

_PART = re.compile(r"<(\w+)>")

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Request(NamedTuple):
    """What is asked: the event, and Lambda's context of it."""

    event: dict[str, Any]
    context: Any

    @property
    def parameters(self) -> Mapping[str, str]:
        """The query string; API Gateway joins repeated parameters with commas."""
        return self.event.get("queryStringParameters") or {}

    def header(self, name: str) -> str | None:
        """A header by its lower-case name, as API Gateway sends them."""
        value: str | None = (self.event.get("headers") or {}).get(name)
        return value


class Response(NamedTuple):
    """What is answered. A `body` of bytes is packed or no text, and travels as base64."""

    status: int
    content_type: str | None
    body: str | bytes | None = None
    headers: Mapping[str, str] = {}

    def answer(self) -> dict[str, Any]:
        """As API Gateway takes it."""
        headers = dict(self.headers)
        if self.content_type:
            headers["Content-Type"] = self.content_type
        packed = isinstance(self.body, bytes)
        body = base64.b64encode(self.body).decode() if isinstance(self.body, bytes) else self.body or ""
        return {"statusCode": self.status, "headers": headers, "body": body, "isBase64Encoded": packed}


class Route(NamedTuple):
    """A handler, and what it answers; `<name>` in the path is a part that the handler is given under that name."""

    method: str
    path: str
    handler: Callable[..., Response]


class Router:
    """Routes, and parts of the table that are not made before something asks for what no route so far answers."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        self._later: list[tuple[tuple[str, ...], Callable[[], None]]] = []
        self._lock = Lock()

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """What follows answers GET of `path`."""
        return self.route(path, ("GET",))

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """What follows answers POST to `path`."""
        return self.route(path, ("POST",))

    def route(self, path: str, methods: Sequence[str]) -> Callable[[Handler], Handler]:
        """What follows answers `methods` of `path`."""

        def add(handler: Handler) -> Handler:
            for method in methods:
                route = Route(method, path, handler)
                if _PART.search(path):
                    self._patterns.append((_pattern(path), route))
                else:
                    self._routes[method, path] = route
            return handler

        return add

    def later(self, beginnings: Sequence[str], add: Callable[[], None]) -> None:
        """Let `add` add its routes with the first request for a path that begins with one of `beginnings`."""
        self._later.append((tuple(beginnings), add))

    def routes(self) -> list[Route]:
        """All of them."""
        self._add_parts("")
        return [*self._routes.values(), *(route for _, route in self._patterns)]

    def respond(self, request: Request) -> Response:
        """What the handler says. Raises: NotFound where there is none, and whatever the handler does."""
        method, path = request.event["requestContext"]["http"]["method"], path_of(request.event)
        found = self._find(method, path)
        if found is None and self._add_parts(path):
            found = self._find(method, path)
        if found is None:
            raise NotFound("path", f"nothing answers {method} {path[:200]}")
        handler, named = found
        return handler(request, **named)

    def _find(self, method: str, path: str) -> tuple[Callable[..., Response], dict[str, str]] | None:
        exact = self._routes.get((method, path))
        if exact is not None:
            return exact.handler, {}
        for pattern, route in self._patterns:
            met = pattern.fullmatch(path) if route.method == method else None
            if met:
                return route.handler, {name: unquote(part) for name, part in met.groupdict().items()}
        return None

    def _add_parts(self, path: str) -> bool:
        """Add the parts that may answer `path`, or all for ""; whether there was one."""
        with self._lock:
            wanted = [part for part in self._later if path.startswith(part[0]) or not path]
            for part in wanted:
                part[1]()
                self._later.remove(part)
        return bool(wanted)


def _pattern(path: str) -> re.Pattern[str]:
    words = _PART.split(path)  # text and names in turn
    return re.compile(
        "".join(f"(?P<{word}>[^/]+)" if place % 2 else re.escape(word) for place, word in enumerate(words))
    )


def path_of(event: Mapping[str, Any]) -> str:
    """The path that was asked for, below the stage."""
    path: str = event["rawPath"]
    stage = event["requestContext"].get("stage", "$default")
    return path if stage == "$default" else path.removeprefix(f"/{stage}")
