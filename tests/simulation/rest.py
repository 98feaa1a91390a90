"""The exchange's REST in a simulation: the built-in simulator's answers, handed to httpx without a socket."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from random import Random

import httpx

from local.exchanges.budget import Budgets
from local.exchanges.coinbase_answers import TRADES_MAX, Answer, Answers, message
from local.exchanges.coinbase_rest import REQUESTS_BURST, REQUESTS_PER_SECOND
from tests.simulation.market import SimulatedMarket
from tests.simulation.process import Process
from tests.simulation.record import Record
from tests.simulation.virtual_time import MachineClock, VirtualTime

URL = "https://exchange.simulated"
ANSWER_SECONDS = (0.03, 0.3)


class Mood(Enum):
    """How REST answers everybody."""

    AWAY = "away"
    TIMEOUT = "timeout"
    EMPTY = "empty"
    TRUNCATED = "truncated"


@dataclass(slots=True)
class Throttle:
    """Everybody is asked for patience: `status` (429 or 418) and Retry-After."""

    status: int
    retry_after_seconds: int


class RestExchange:
    """What REST is like at the moment, for everybody."""

    def __init__(self, time: VirtualTime, market: SimulatedMarket, record: Record, luck: Random) -> None:
        self.moods: list[Mood] = []
        """None is well; of several, the last to come rules."""
        self.throttle: Throttle | None = None
        self.behind_seconds = 0.0
        """How far REST knows less than the streams."""
        self.time = time
        self.market = market
        self.record = record
        self.luck = luck
        self.answers = Answers(market)
        self.budgets = Budgets(MachineClock(time), per_second=REQUESTS_PER_SECOND, burst=REQUESTS_BURST)
        self._patience: dict[str, float] = {}

    def answer(self, request: httpx.Request, machine: str, sleep: Callable[[float], None]) -> Answer:
        """What is answered to a request of `machine`, after a while. Raises: httpx.HTTPError."""
        self._check_patience(machine)
        self._note(request)
        sleep(self.luck.uniform(*ANSWER_SECONDS))
        mood = self.moods[-1] if self.moods else None
        if mood is Mood.AWAY:
            return self._refuse_away()
        if mood is Mood.TIMEOUT:
            sleep(10.0)
            raise httpx.ReadTimeout("timed out")
        if self.throttle is not None:
            return self._throttled(machine, self.throttle)
        if not self.budgets.spend(machine):
            self.record.breaks(f"{machine} asks more often than the exchange allows")
            return message(429, "Public rate limit exceeded")
        answer = self.answers.answer(
            request.url.path, request.url.params, self.time.now() - timedelta(seconds=self.behind_seconds)
        )
        if mood is Mood.EMPTY:
            return Answer("[]")
        if mood is Mood.TRUNCATED:
            self.record.note("truncated")
            return Answer(answer.text[: len(answer.text) * 2 // 3])
        return answer

    def _refuse_away(self) -> Answer:
        if self.luck.random() < 0.3:
            raise httpx.ConnectError("Connection refused")
        return message(self.luck.choice((500, 502, 503)), "Service Unavailable")

    def _throttled(self, machine: str, throttle: Throttle) -> Answer:
        self._patience[machine] = self.time.seconds + throttle.retry_after_seconds
        answer = message(throttle.status, "Public rate limit exceeded")
        return Answer(answer.text, answer.status, {"Retry-After": str(throttle.retry_after_seconds)})

    def _check_patience(self, machine: str) -> None:
        if self.time.seconds < self._patience.get(machine, 0.0) - 1e-6:
            self.record.breaks(f"{machine} asks before the exchange's Retry-After")

    def _note(self, request: httpx.Request) -> None:
        path = request.url.path
        self.record.note("request", f"{path} {request.url.query.decode()}")
        if path.endswith("/trades"):
            symbol = path.split("/")[2]
            end = min(int(request.url.params.get("after", 2**62)), self.market.next_id(symbol, self.time.now()))
            first = end - int(request.url.params.get("limit", TRADES_MAX))
            self.record.asks((symbol, trade.id) for trade in self.market.trades_by_id(symbol, first, end))


class Transport(httpx.BaseTransport):
    """httpx's door to the exchange for one process of `machine`."""

    def __init__(self, exchange: RestExchange, process: Process, machine: str) -> None:
        self._exchange = exchange
        self._process = process
        self._machine = machine

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        self._process.check_alive()
        answer = self._exchange.answer(request, self._machine, self._process.sleep)
        return httpx.Response(answer.status, headers=dict(answer.headers), text=answer.text, request=request)
