"""The routes of ticks: /v1/ticks/{symbol} and its history, below /api/v1 too."""

from marketdata.jobs.query_ticks import query_history, query_ticks
from marketdata.routes.desk import Desk
from marketdata.serve.operation import JSON, declared
from marketdata.serve.router import Request, Response
from marketdata.serve.tick_params import HISTORY, TICKS, history_query, tick_query


def add(desk: Desk) -> None:
    """/v1/ticks/{symbol} and /v1/ticks/{symbol}/history, and the same below /api/v1."""
    router, store, clock, instruments, cursors = desk.router, desk.store, desk.clock, desk.instruments, desk.cursors

    @declared("ticks", "Ticks of a symbol, page by page.", "serve.shapes.Ticks", TICKS)
    def ticks(request: Request, symbol: str) -> Response:
        query = tick_query(symbol, request.parameters)
        return Response(200, JSON, query_ticks(store, instruments, cursors, clock, query))

    @declared("ticks_history", "The newest candles with the mean of ten closes.", "serve.shapes.History", HISTORY)
    def history(request: Request, symbol: str) -> Response:
        query = history_query(symbol, request.parameters)
        return Response(200, JSON, query_history(store, instruments, clock, query))

    for prefix in ("/v1", "/api/v1"):
        router.get(f"{prefix}/ticks/<symbol>")(ticks)
        router.get(f"{prefix}/ticks/<symbol>/history")(history)
