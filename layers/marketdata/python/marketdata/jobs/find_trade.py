"""Find the first trade of a moment where an exchange can only be asked by id: guess along a line, and bisect.

Called by fill_by_trades. Ids are taken to rise with time, as they do but for trades within the same moment.
"""

from marketdata.errors import RemoteMalformed
from marketdata.jobs.exchange_past import PAGE_TRADES, Mark, TradePages
from marketdata.model.trade import Trade

PROBES_MAX = 60
"""More than bisecting every id that fits in 64 bits takes, with a guess between any two halvings, less the page."""

_BEFORE_ALL = Mark(-1, 0)
"""Below every id: some exchanges count from 0, some from 1."""


def first_trade_from(pages: TradePages, time_ns: int, low: Mark | None, high: Mark | None) -> int | None:
    """The first id of the first trade at or after `time_ns`; None while the newest trade of all is before it.

    `low` and `high` are what is known: a trade before the moment, and one at or after it.
    Raises: RemoteError; RemoteMalformed if the pages contradict each other.
    """
    low = max([mark for mark in pages.marks if mark.time_ns < time_ns] + [low or _BEFORE_ALL], key=_id)
    later = [mark for mark in [high, *pages.marks] if mark is not None and mark.time_ns >= time_ns]
    high = min(later, key=_id, default=None)
    if high is None:
        page = pages.page(None)
        at = _first_at(page.trades, time_ns)
        if at is None:
            return None
        if at > 0 or page.next_before is None:
            return page.trades[at].id
        high = _mark(page.trades[0])
    return _search(pages, time_ns, low, high)


def _search(pages: TradePages, time_ns: int, low: Mark, high: Mark) -> int:
    for probe in range(PROBES_MAX):
        if high.id - low.id <= 1:
            return high.id
        wanted = (low.id + high.id) // 2 if probe % 2 else _guess(time_ns, low, high)
        # The page ends half a page beyond the wanted id, so that it most likely holds both sides of the moment.
        page = pages.page(min(high.id, wanted + PAGE_TRADES // 2 + 1))
        trades = page.trades
        at = _first_at(trades, time_ns)
        if at is None:
            low = max(low, _mark(trades[-1]), key=_id)
        elif at > 0 or page.next_before is None:
            return trades[at].id
        else:
            high = min(high, _mark(trades[0]), key=_id)
    raise RemoteMalformed(pages.exchange, "trades: ids do not rise with time", f"{low} .. {high}")


def _guess(time_ns: int, low: Mark, high: Mark) -> int:
    """Where the moment is if trades come evenly; strictly between the marks."""
    if low is _BEFORE_ALL or high.time_ns <= low.time_ns:
        return (low.id + high.id) // 2
    along = low.id + (high.id - low.id) * (time_ns - low.time_ns) // (high.time_ns - low.time_ns)
    return min(max(along, low.id + 1), high.id - 1)


def _first_at(trades: tuple[Trade, ...], time_ns: int) -> int | None:
    """The index of the first trade at or after the moment."""
    return next((index for index, trade in enumerate(trades) if trade.time_ns >= time_ns), None)


def _mark(trade: Trade) -> Mark:
    return Mark(trade.id, trade.time_ns)


def _id(mark: Mark) -> int:
    return mark.id
