"""A CoinGecko that runs here: a real server that speaks its REST about the invented market of the tape.

    /coins/markets?vs_currency&ids                      what coins are worth, as of the last whole minute
    /coins/{id}/market_chart/range?vs_currency&from&to  index prices: by 5 minutes up to a day, by the hour up to 90

One server is one host, of the demo or of the Pro plan: it knows the key of its own plan alone, in its own header. Its
refusals are worded as theirs. Source: docs/add-an-exchange.md#coingecko.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from aiohttp import web
from marketdata.clock import Clock
from marketdata.exchanges.coingecko import DEMO, KEY_HEADERS, PRO
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, utc

from local.exchanges.budget import Budgets
from local.exchanges.faults import Faults
from local.exchanges.tape import Tape

COINS = {"bitcoin": "BTC-USD", "ethereum": "ETH-USD", "solana": "SOL-USD", "dogecoin": "DOGE-USD"}
"""CoinGecko's ids of what the tape trades."""
KEYS = {DEMO: "a-demo-key", PRO: "a-pro-key"}
REQUESTS_A_MINUTE = {DEMO: 30, PRO: 500}
PER_PAGE_MAX = 250
RETRY_AFTER_SECONDS = 60
_SUPPLY = 1_000_000
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_WRONG_PLAN = {DEMO: (10011, "change your root URL"), PRO: (10010, "change your root URL")}


@dataclass
class Troubles:
    """What of its own can go wrong here, beside what every server has. `priceless`: coins that have no price now."""

    throttled: int = 0
    """So many answers that ask for patience, from now on."""
    garbled: int = 0
    """So many answers that stop in the middle."""
    missing: set[str] = field(default_factory=set)
    priceless: set[str] = field(default_factory=set)


class _Refusal(Exception):
    """`body` is what is said, as JSON."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers


def coingecko_simulator(
    tape: Tape, clock: Clock, faults: Faults | None = None, *, plan: str = DEMO, troubles: Troubles | None = None
) -> web.Application:
    """The server as an aiohttp application, of one plan's host."""
    host = _Host(tape, clock, faults or Faults(), plan, troubles or Troubles())
    application = web.Application()
    application.router.add_get("/coins/markets", host.answering(host.markets))
    application.router.add_get("/coins/{id}/market_chart/range", host.answering(host.chart))
    return application


class _Host:
    def __init__(self, tape: Tape, clock: Clock, faults: Faults, plan: str, troubles: Troubles) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._plan = plan
        self._troubles = troubles
        # Of a whole day, and asked for many times a minute.
        self._volume = lru_cache(maxsize=64)(self._volume_of)
        self._budgets = Budgets(clock, REQUESTS_A_MINUTE[plan] / 60, REQUESTS_A_MINUTE[plan])

    def answering(self, find: Any) -> Any:
        """aiohttp's handler of one route: what `find` says, behind a key, a budget and whatever is made to fail."""

        async def handle(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                # In a thread, because a day of a market is 1,440 minutes of it.
                response = web.json_response(await asyncio.to_thread(find, request))
            except _Refusal as refused:
                return web.json_response(refused.body, status=refused.status, headers=refused.headers)
            if self._troubles.garbled:
                self._troubles.garbled -= 1
                return web.Response(text=(response.text or "")[:20], content_type="application/json")
            return response

        return handle

    def _admit(self, request: web.Request) -> None:
        if self._faults.refusing_rest:
            raise _Refusal(503, {"error": "Service Unavailable"})
        given = {plan: request.headers[header] for plan, header in KEY_HEADERS.items() if header in request.headers}
        if given.keys() - {self._plan}:
            raise _status(401, *_WRONG_PLAN[self._plan])
        if given.get(self._plan, "" if self._plan == PRO else KEYS[DEMO]) != KEYS[self._plan]:
            raise _status(401, 10002, "API Key Missing" if not given else "Incorrect API Key")
        if self._troubles.throttled or not self._budgets.spend(request.remote or ""):
            self._troubles.throttled = max(0, self._troubles.throttled - 1)
            said = "You've exceeded the Rate Limit. Please visit our pricing page."
            raise _Refusal(429, _error(429, said), {"Retry-After": str(RETRY_AFTER_SECONDS)})

    def markets(self, request: web.Request) -> list[dict[str, Any]]:
        """One object a coin; of coins that nobody knows there is none."""
        _require_quote(request)
        now = self._clock.now().replace(second=0, microsecond=0)
        wanted = [id_ for id_ in request.query.get("ids", "").split(",") if id_ in COINS]
        return [self._market(id_, now) for id_ in wanted[:PER_PAGE_MAX] if id_ not in self._troubles.missing]

    def chart(self, request: web.Request) -> dict[str, Any]:
        """Index prices, market caps and volumes, each `[milliseconds, number]`, oldest first."""
        _require_quote(request)
        id_ = request.match_info["id"]
        if id_ not in COINS or id_ in self._troubles.missing:
            raise _Refusal(404, {"error": "coin not found"})
        start, end = (datetime.fromtimestamp(float(request.query[edge]), UTC) for edge in ("from", "to"))
        points = [(_milliseconds(time), self._price(id_, time)) for time in _grid(start, min(end, self._clock.now()))]
        said = {
            "prices": [[time, price] for time, price in points],
            "market_caps": [[time, price * _SUPPLY] for time, price in points],
            "total_volumes": [[time, price * 1_000] for time, price in points],
        }
        return said | ({"unheard_of": {"since": 2031}} if self._faults.unknowns else {})

    def _market(self, id_: str, now: datetime) -> dict[str, Any]:
        price = None if id_ in self._troubles.priceless else self._price(id_, now)
        before = self._price(id_, now - _DAY)
        said = {
            "id": id_,
            "symbol": COINS[id_].partition("-")[0].lower(),
            "name": id_.title(),
            "current_price": price,
            "market_cap": None if price is None else price * _SUPPLY,
            "market_cap_rank": list(COINS).index(id_) + 1,
            "total_volume": self._volume(id_, now),
            "price_change_percentage_24h": None if price is None else round((price / before - 1) * 100, 5),
            "roi": None,
            "last_updated": _milliseconds_text(now),
        }
        return said | ({"unheard_of": {"since": 2031}} if self._faults.unknowns else {})

    def _price(self, id_: str, time: datetime) -> float:
        """As of the last whole minute in which anybody traded: whole minutes need not be drawn trade by trade."""
        end = time.replace(second=0, microsecond=0)
        while (bar := self._tape.bar(COINS[id_], Span(end - _MINUTE, end))) is None:
            end -= _MINUTE
        return float(bar.close)

    def _volume_of(self, id_: str, now: datetime) -> float:
        bar = self._tape.bar(COINS[id_], Span(now - _DAY, now))
        return 0.0 if bar is None else float(bar.volume * bar.close)


def _require_quote(request: web.Request) -> None:
    if request.query.get("vs_currency") != "usd":
        raise _Refusal(400, {"error": "invalid vs_currency"})


def _grid(start: datetime, end: datetime) -> Iterator[datetime]:
    """Each whole step of the time between, and the end itself: it is now."""
    step = timedelta(minutes=5) if end - start <= _DAY else timedelta(hours=1) if end - start <= 90 * _DAY else _DAY
    time = EPOCH + -((EPOCH - start) // step) * step
    while time < end:
        yield time
        time += step
    yield end


def _status(http: int, code: int, message: str) -> _Refusal:
    return _Refusal(http, _error(code, message))


def _error(code: int, message: str) -> dict[str, Any]:
    return {"status": {"error_code": code, "error_message": message}}


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def _milliseconds_text(time: datetime) -> str:
    return utc(_milliseconds(time) * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
