"""The routes of candles: /v1/candles and its like, and those of the services whose clients are still about.

Each parses its own words into the same CandleQuery and names the format in which it always answered.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from marketdata.jobs.answer_candles import CandleRequest
from marketdata.jobs.count_candles import count_candles
from marketdata.routes.desk import Desk
from marketdata.serve.formats import FORMATS, PLAIN, UNIX, Format, choose_format
from marketdata.serve.gateway_events import header, parameters
from marketdata.serve.negotiation import coding
from marketdata.serve.old_params import (
    PLAIN_CANDLES,
    PLAIN_LATEST,
    UNIX_CANDLES,
    plain_latest_query,
    plain_query,
    unix_query,
    wants_whole,
)
from marketdata.serve.operation import JSON, Answer, declared
from marketdata.serve.params import (
    CANDLES,
    COUNT,
    LATEST,
    CandleQuery,
    candle_query,
    count_query,
    latest_query,
    named_format,
)
from marketdata.serve.representation import Representation

_HEADERS = ("ETag", "Cache-Control", "Vary", "Content-Encoding", "Link", "X-Data-Condition", "X-Data-Coverage")
_UNCHANGED = Answer(
    "", "The copy that If-None-Match names is still good.", 304, headers=("ETag", "Cache-Control", "Vary")
)
_MEDIA = tuple(one.media_type for one in FORMATS.values())
_PAGE = (Answer("serve.shapes.Candles", media=_MEDIA, headers=_HEADERS), _UNCHANGED)
_PLAIN = (Answer("serve.shapes.PlainCandles", headers=_HEADERS), _UNCHANGED)
_UNIX = (Answer("serve.shapes.UnixCandles", headers=_HEADERS), _UNCHANGED)

Parse = Callable[[Mapping[str, str]], CandleQuery]


def add_candles(desk: Desk) -> None:
    """/v1/candles, /v1/candles/latest, /v1/candles/count."""

    @desk.app.get("/v1/candles")
    @declared("candles", "Candles of a symbol, page by page.", _PAGE, CANDLES, refusals=(406, 413))
    def candles() -> Response[Any]:
        return _answer(desk, candle_query)

    @desk.app.get("/v1/candles/latest")
    @declared("latest_candles", "The newest candles, oldest first.", _PAGE, LATEST, refusals=(406, 413))
    def latest() -> Response[Any]:
        return _answer(desk, latest_query, latest=True)

    @desk.app.get("/v1/candles/count")
    @declared("count_candles", "How many candles are held, and how many are not.", "jobs.count_candles.Count", COUNT)
    def count() -> Response[Any]:
        query = count_query(parameters(desk.event))
        return Response(200, JSON, count_candles(desk.store, desk.instruments, desk.clock.now(), query))


def add_old_candles(desk: Desk) -> None:
    """/candles and /candles/latest, bare lists of records; /api/candles, a bare list with Unix seconds."""

    @desk.app.get("/candles")
    @declared("plain_candles", "Candles as a bare list.", _PLAIN, PLAIN_CANDLES, refusals=(413,))
    def candles() -> Response[Any]:
        return _answer(desk, plain_query, fixed=PLAIN)

    @desk.app.get("/candles/latest")
    @declared("plain_latest_candles", "The newest candles as a bare list.", _PLAIN, PLAIN_LATEST, refusals=(413,))
    def latest() -> Response[Any]:
        return _answer(desk, plain_latest_query, fixed=PLAIN, latest=True)

    @desk.app.get("/api/candles")
    @declared("unix_candles", "Candles as a bare list with Unix seconds.", _UNIX, UNIX_CANDLES, refusals=(413,))
    def unix() -> Response[Any]:
        return _answer(desk, unix_query, fixed=UNIX)


def _answer(desk: Desk, parse: Parse, *, fixed: Format | None = None, latest: bool = False) -> Response[Any]:
    event = desk.event
    sent = parameters(event)
    request = CandleRequest(
        query=parse(sent),
        format=fixed or choose_format(named_format(sent), header(event, "accept")),
        coding=coding(header(event, "accept-encoding")),
        latest=latest,
        whole=fixed is not None and not latest and wants_whole(sent),
    )
    return _sent(desk.candles.answer(request, header(event, "if-none-match")), event)


def _sent(answer: Representation, event: dict[str, Any]) -> Response[Any]:
    headers = answer.headers(event["rawPath"], event.get("rawQueryString") or "")
    packed = isinstance(answer.body, bytes) and bool(answer.body)
    body = base64.b64encode(answer.body).decode() if isinstance(answer.body, bytes) else answer.body
    response: Response[Any] = Response(answer.status, answer.content_type or None, body or None, headers=dict(headers))
    # Said here, because the resolver would take bytes of JSON for an object that is yet to be encoded.
    response.base64_encoded = packed
    return response
