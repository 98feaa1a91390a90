"""What an exchange can be asked about its past: its own candles, and its trades by id. Used by every repair."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import (
    AnyTradeHistory,
    CandleHistory,
    Request,
    TradeArchive,
    TradePage,
    TradesByTime,
    trade_steps,
)

PAGE_TRADES = 1_000
MARKS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ExchangePast:
    """One exchange's REST. `get` paces itself and raises RemoteError; None is what the exchange does not offer.

    `trades` is given only where ids count up by one, so that a run of them proves completeness.
    """

    get: Callable[[Request], bytes]
    candles: CandleHistory | None = None
    trades: AnyTradeHistory | None = None
    trades_by_time: TradesByTime | None = None
    archive: "ArchivePast | None" = None


@dataclass(frozen=True, slots=True)
class ArchivePast:
    """One exchange's archive of whole days of trades, at an address of its own."""

    get: Callable[[Request], bytes]
    archive: TradeArchive


@dataclass(frozen=True, slots=True)
class Mark:
    """A trade id, and a time (nanoseconds) that is at least roughly its."""

    id: int
    time_ns: int


class TradePages:
    """The trades of one symbol by id, page by page; a page that cannot be is refused.

    `marks` are the ends of the newest pages asked for: the next search begins between them.
    """

    def __init__(self, get: Callable[[Request], bytes], history: AnyTradeHistory, symbol: str) -> None:
        self.exchange = history.name
        self.symbol = symbol
        self.marks: deque[Mark] = deque(maxlen=MARKS_MAX)
        self._get = get
        self._history = history

    def page(self, before: int | None) -> TradePage:
        """The newest trades that begin below id `before`, or of all; ordered by id, never none at all.

        Raises: RemoteError; RemoteMalformed too for an empty page, which proves nothing, and for ids not asked for.
        """
        steps, body = trade_steps(self._history, self.symbol, before, PAGE_TRADES), b""
        try:
            request = next(steps)
            while True:
                body = self._get(request)
                request = steps.send(body)
        except StopIteration as end:
            page: TradePage = end.value
        trades = page.trades
        if not trades or (before is not None and trades[-1].id >= before):
            reason = "trades: other ids than asked for" if trades else f"trades: none below id {before}"
            raise RemoteMalformed(self.exchange, reason, body[:300].decode("utf-8", "backslashreplace"))
        self.marks += [Mark(trade.id, trade.time_ns) for trade in (trades[0], trades[-1])]
        return page
