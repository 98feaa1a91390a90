"""What the API says of itself: the OpenAPI document, and a page to read and try it. Off unless `API_DOCS` is on.

Swagger UI comes with Powertools, so nothing is fetched from elsewhere; it is packed once a process, by whom first asks.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from marketdata.errors import NotFound
from marketdata.routes.desk import Desk
from marketdata.serve.negotiation import Coding, coding, compress
from marketdata.serve.operation import JSON, Answer, declared
from marketdata.serve.parameter import Choice
from marketdata.serve.params import no_parameters
from marketdata.serve.router import Request, Response

DOCUMENT = "openapi.json"
"""Beside the package's modules; `make openapi` writes it as it writes docs/openapi.json."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Market Data Engine: the API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
_START = """SwaggerUIBundle({
  url: "v1/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""
# Swagger UI styles its own elements; scripts come from here alone, and its examples ask nobody but us.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_ASSETS = "event_handler/openapi/swagger_ui/swagger-ui"
_HEADERS = ("Cache-Control", "Content-Encoding", "Vary")
_SCRIPT, _STYLE = "text/javascript", "text/css"
FILE: Choice[tuple[str, Callable[[], bytes]]] = Choice(
    "file",
    "A part of the page.",
    required=True,
    place="path",
    values={
        "start.js": (_SCRIPT, _START.encode),
        "swagger-ui-bundle.js": (_SCRIPT, lambda: _asset("-bundle.min.js")),
        "swagger-ui.css": (_STYLE, lambda: _asset(".min.css")),
    },
)


def add(desk: Desk) -> None:
    """/v1/openapi.json, /docs and its parts."""

    router = desk.router

    def check(request: Request) -> None:
        if not desk.settings.api_docs:
            raise NotFound("path", "the API's own documents are not served here")
        no_parameters(request.parameters)

    @router.get("/v1/openapi.json")
    @declared("openapi", "This document.", Answer("serve.shapes.Document", headers=_HEADERS))
    def document(request: Request) -> Response:
        check(request)
        return _packed(request, JSON, DOCUMENT, document_bytes)

    @router.get("/docs")
    @declared("docs", "A page to read this document and to try it.", Answer("", media=("text/html",)))
    def page(request: Request) -> Response:
        check(request)
        return Response(200, "text/html; charset=utf-8", _PAGE, headers=dict(_PAGE_HEADERS))

    @router.get("/docs/<file>")
    @declared(
        "docs_file",
        "A part of that page.",
        Answer("", media=(_SCRIPT, _STYLE), headers=_HEADERS),
        (FILE,),
        refusals=(404,),
    )
    def part(request: Request, file: str) -> Response:
        check(request)
        if file not in FILE.values:
            raise NotFound("file", f"{file[:64]!r} is no part of the page", tuple(FILE.values))
        media, read = FILE.values[file]
        return _packed(request, f"{media}; charset=utf-8", file, read)


def document_bytes() -> bytes:
    """The OpenAPI document as it is deployed."""
    return Path(__file__).with_name(DOCUMENT).read_bytes()


def _asset(ending: str) -> bytes:
    import aws_lambda_powertools  # noqa: PLC0415 - for the page alone

    return (Path(aws_lambda_powertools.__file__).parent / f"{_ASSETS}{ending}").read_bytes()


def _packed(request: Request, media: str, name: str, read: Callable[[], bytes]) -> Response:
    packing = coding(request.header("accept-encoding"))
    headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if packing is not Coding.IDENTITY:
        headers["Content-Encoding"] = packing.value
    packed = _packed_once(name, packing, read)
    return Response(200, media, packed.decode() if packing is Coding.IDENTITY else packed, headers=headers)


@lru_cache(maxsize=16)
def _packed_once(_name: str, packing: Coding, read: Callable[[], bytes]) -> bytes:
    return compress(read(), packing)
