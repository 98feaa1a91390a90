"""Binance's aggregates over REST, asked for by trade id. Pure: it says which request comes next, and hears the answer.

`aggTrades` is paged by the aggregates' own numbers. Which one stands for a trade is guessed along a line between two
that are known, looked at, and guessed again; what was seen is remembered, so that the next page takes one request.
"""

from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance_rest import ROWS_A_REQUEST, AggregateRow, BinanceRest
from marketdata.exchanges.binance_wire import NAME
from marketdata.exchanges.exchange import Request, TradePage, TradeSteps
from marketdata.exchanges.wire import excerpt
from marketdata.model.trade import Trade

AGGREGATES_WEIGHT = 4
PROBES_MAX = 60
"""More than bisecting every id that fits in 64 bits takes, with a guess between any two halvings, less the page."""
MARKS_MAX = 1_000


class BinanceAggregateSearch:
    """Trades by id as aggregates; with `recent_singly`, the newest thousand one by one.

    A trade channel that lost a part of an aggregate is mended by single trades alone.
    """

    def __init__(self, name: str = NAME, *, recent_singly: bool = False) -> None:
        self.name = name
        self._single = BinanceRest(name) if recent_singly else None
        self._recent: dict[str, tuple[Trade, ...]] = {}
        self._marks: dict[str, _Marks] = {}
        self._decode = msgspec.json.Decoder(list[AggregateRow]).decode

    def find_trades(self, symbol: str, before: int | None, limit: int) -> TradeSteps:
        """The newest trades with an id below `before`, or of all; each request is answered by `send`."""
        if before is not None and before <= 0:
            return TradePage((), None)
        recent = self._recent.get(symbol, ())
        if self._single is not None and (before is None or not recent or before > recent[0].id):
            page = self._single.parse_trades((yield self._single.recent_trades_request(symbol)), symbol)
            found = tuple(trade for trade in page.trades if before is None or trade.id < before)
            recent = self._recent[symbol] = page.trades
            if found:
                return TradePage(found, page.next_before)
        page = yield from self._search(symbol, before, min(limit, ROWS_A_REQUEST))
        return _without(page, recent) if recent and recent[0].id == before else page

    def _search(self, symbol: str, before: int | None, limit: int) -> TradeSteps:
        marks = self._marks.setdefault(symbol, _Marks())
        for probe in range(PROBES_MAX):
            number = None if before is None else marks.number_before(before)
            if number is not None:
                first = max(0, number - limit + 1)
                rows = self._read((yield _request(symbol, first, number - first + 1)), first)
                marks.learn(rows, before)
                return _page(symbol, rows)
            guess = None if before is None else marks.guess(before, limit // 2, halve=bool(probe % 2))
            rows = self._read((yield _request(symbol, guess, limit)), guess)
            marks.learn(rows, before)
            wanted = [row for row in rows if before is None or row.f < before]
            # The newest of all are the newest below what is later than they.
            if (guess is None and len(wanted) == len(rows)) or (wanted and wanted[-1].a == marks.number_before(before)):
                return _page(symbol, wanted)
        raise RemoteMalformed(self.name, f"aggTrades: numbers do not rise with ids, at {before}", "")

    def _read(self, body: bytes, first: int | None) -> list[AggregateRow]:
        try:
            rows = sorted((row for row in self._decode(body) if row.f >= 0), key=_number)
            for row in rows:
                row.trade("")
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"aggTrades: {error}", excerpt(body)) from error
        if not rows or (first is not None and rows[0].a < first):
            raise RemoteMalformed(self.name, f"aggTrades: none from number {first}", excerpt(body))
        return rows


class _Marks:
    """Aggregates of one symbol that were seen: by number, their first trade's id."""

    def __init__(self) -> None:
        self._first_ids: dict[int, int] = {}

    def number_before(self, before: int | None) -> int | None:
        """The number of the last aggregate that begins below that trade id; None if it is not known."""
        low, high = self._around(before)
        if before is None or high is None:
            return None
        if self._first_ids[high] == before and high > 0:
            return high - 1
        return low if low is not None and high == low + 1 else None

    def guess(self, before: int, back: int, *, halve: bool) -> int | None:
        """From which number to ask, `back` before where it may be; None asks for the newest of all."""
        low, high = self._around(before)
        if high is None:
            return None
        low, low_id = (-1, -1) if low is None else (low, self._first_ids[low])
        along = (high - low) // 2 if halve else (high - low) * (before - 1 - low_id) // (self._first_ids[high] - low_id)
        return max(0, min(max(low + along, low + 1), high - 1) - back)

    def _around(self, before: int | None) -> tuple[int | None, int | None]:
        """The numbers of the nearest aggregates known that begin below that id, and at or above it."""
        if before is None:
            return None, None
        known = sorted(self._first_ids)
        at = bisect_left(known, before, key=self._first_ids.__getitem__)
        return known[at - 1] if at else None, known[at] if at < len(known) else None

    def learn(self, rows: list[AggregateRow], before: int | None) -> None:
        """Remember the ends of a page and what is around that id; what was learned first is forgotten first."""
        at = bisect_left(rows, before, key=_first_id) if before is not None else 0
        for row in (rows[0], rows[-1], *rows[max(0, at - 1) : at + 1]):
            self._first_ids.pop(row.a, None)
            self._first_ids[row.a] = row.f
        while len(self._first_ids) > MARKS_MAX:
            del self._first_ids[next(iter(self._first_ids))]


def _request(symbol: str, first: int | None, count: int) -> Request:
    since = () if first is None else (("fromId", str(first)),)
    return Request("/api/v3/aggTrades", (("symbol", symbol), *since, ("limit", str(count))), weight=AGGREGATES_WEIGHT)


def _page(symbol: str, rows: list[AggregateRow]) -> TradePage:
    trades = tuple(row.trade(symbol) for row in rows)
    return TradePage(trades, trades[0].id if rows[0].a > 0 else None)


def _without(page: TradePage, later: tuple[Trade, ...]) -> TradePage:
    """The page with its last aggregate cut where the single trades begin: of one price and moment, less their sizes."""
    last = page.trades[-1]
    told = [trade.size for trade in later if trade.id <= last.last_id]
    size = last.size - sum(told, Decimal(0))
    if not told or size <= 0:
        return page
    rest = msgspec.structs.replace(last, size=size, count=later[0].id - last.id)
    return replace(page, trades=(*page.trades[:-1], rest))


def _number(row: AggregateRow) -> int:
    return row.a


def _first_id(row: AggregateRow) -> int:
    return row.f
