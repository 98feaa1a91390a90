"""A server that answers as Bitfinex REST v2 did once: from recorded answers of its candle history, and nothing else.

The recordings stay where they are (see tests/captures.py); what a recording lacks, the server lacks.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import msgspec
from aiohttp import web

ROWS_MAX = 10_000
ROWS_DEFAULT = 100


class RecordedCandles:
    """`pages` are recorded bodies of one key such as `trade:1m:tBTCUSD`, in any order; rows begin with a time in ms."""

    def __init__(self, key: str, pages: Iterable[bytes]) -> None:
        self.requests = 0
        self._key = key
        decode = msgspec.json.Decoder(list[list[msgspec.Raw]]).decode
        rows = (row for page in pages for row in decode(page))
        self._rows = {int(bytes(row[0])): b"[" + b",".join(map(bytes, row)) + b"]" for row in rows}
        self._times = sorted(self._rows)

    def application(self) -> web.Application:
        """The server, as an aiohttp application."""
        application = web.Application()
        application.router.add_get("/v2/candles/{key}/hist", self.history)
        return application

    async def history(self, request: web.Request) -> web.Response:
        """Rows from `start` to `end`, both included, newest first unless `sort` is 1; at most `limit`."""
        self.requests += 1
        if request.match_info["key"] != self._key:
            return web.json_response(["error", 10020, "symbol: invalid"], status=500)
        limit = int(request.query.get("limit", ROWS_DEFAULT))
        if not 0 < limit <= ROWS_MAX:
            return web.json_response(["error", 10020, "limit: invalid"], status=500)
        times = self._asked(request)
        chosen = times[:limit] if request.query.get("sort") == "1" else times[::-1][:limit]
        body = b"[" + b",".join(self._rows[time] for time in chosen) + b"]"
        return web.Response(body=body, content_type="application/json")

    def _asked(self, request: web.Request) -> list[int]:
        first = bisect_left(self._times, int(request.query["start"])) if "start" in request.query else 0
        after = bisect_right(self._times, int(request.query["end"])) if "end" in request.query else None
        return self._times[first:after]
