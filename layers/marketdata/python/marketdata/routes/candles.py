"""The routes of candles: /v1/candles and its like, and those of the services whose clients are still about.

Each parses its own words into the same CandleQuery and names the format in which it always answered.
"""

from collections.abc import Callable, Mapping
from typing import Any

from marketdata.jobs.answer_candles import CandleRequest
from marketdata.jobs.count_candles import count_candles
from marketdata.routes.desk import Desk
from marketdata.serve.formats import FORMATS, PLAIN, UNIX, Format, choose_format
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
from marketdata.serve.router import Request, Response

_HEADERS = ("ETag", "Cache-Control", "Vary", "Content-Encoding", "Link", "X-Data-Condition", "X-Data-Coverage")
_UNCHANGED = Answer(
    "", "The copy that If-None-Match names is still good.", 304, headers=("ETag", "Cache-Control", "Vary")
)
_MEDIA = tuple(one.media_type for one in FORMATS.values())
_PAGE = (Answer("serve.shapes.Candles", media=_MEDIA, headers=_HEADERS), _UNCHANGED)
_PLAIN = (Answer("serve.shapes.PlainCandles", headers=_HEADERS), _UNCHANGED)
_UNIX = (Answer("serve.shapes.UnixCandles", headers=_HEADERS), _UNCHANGED)

Parse = Callable[[Mapping[str, str]], CandleQuery]


def add(desk: Desk) -> None:
    """All of them."""
    _add_candles(desk)
    _add_old_candles(desk)


def _add_candles(desk: Desk) -> None:
    """/v1/candles, /v1/candles/latest, /v1/candles/count."""

    @desk.router.get("/v1/candles")
    @declared("candles", "Candles of a symbol, page by page.", _PAGE, CANDLES, refusals=(406, 413))
    def candles(request: Request) -> Response:
        return _answer(desk, request, candle_query)

    @desk.router.get("/v1/candles/latest")
    @declared("latest_candles", "The newest candles, oldest first.", _PAGE, LATEST, refusals=(406, 413))
    def latest(request: Request) -> Response:
        return _answer(desk, request, latest_query, latest=True)

    @desk.router.get("/v1/candles/count")
    @declared("count_candles", "How many candles are held, and how many are not.", "jobs.count_candles.Count", COUNT)
    def count(request: Request) -> Response:
        query = count_query(request.parameters)
        return Response(200, JSON, count_candles(desk.store, desk.instruments, desk.clock.now(), query))


def _add_old_candles(desk: Desk) -> None:
    """/candles and /candles/latest, bare lists of records; /api/candles, a bare list with Unix seconds."""

    @desk.router.get("/candles")
    @declared("plain_candles", "Candles as a bare list.", _PLAIN, PLAIN_CANDLES, refusals=(413,))
    def candles(request: Request) -> Response:
        return _answer(desk, request, plain_query, fixed=PLAIN)

    @desk.router.get("/candles/latest")
    @declared("plain_latest_candles", "The newest candles as a bare list.", _PLAIN, PLAIN_LATEST, refusals=(413,))
    def latest(request: Request) -> Response:
        return _answer(desk, request, plain_latest_query, fixed=PLAIN, latest=True)

    @desk.router.get("/api/candles")
    @declared("unix_candles", "Candles as a bare list with Unix seconds.", _UNIX, UNIX_CANDLES, refusals=(413,))
    def unix(request: Request) -> Response:
        return _answer(desk, request, unix_query, fixed=UNIX)


def _answer(
    desk: Desk, request: Request, parse: Parse, *, fixed: Format | None = None, latest: bool = False
) -> Response:
    sent = request.parameters
    wanted = CandleRequest(
        query=parse(sent),
        format=fixed or choose_format(named_format(sent), request.header("accept")),
        coding=coding(request.header("accept-encoding")),
        latest=latest,
        whole=fixed is not None and not latest and wants_whole(sent),
    )
    return _sent(desk.candles.answer(wanted, request.header("if-none-match")), request.event)


def _sent(answer: Representation, event: dict[str, Any]) -> Response:
    headers = answer.headers(event["rawPath"], event.get("rawQueryString") or "")
    return Response(answer.status, answer.content_type or None, answer.body or None, dict(headers))
