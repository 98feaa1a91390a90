"""Which trades of a day are held, so that an aggregate is not put beside the single trades that it is made of."""

from bisect import bisect_right
from collections.abc import Iterable

import psycopg
from marketdata.model.span import Span
from marketdata.model.trade import Trade

# A live feed may have kept single trades, in milliseconds, and the archive has aggregates of them, in microseconds: the
# key of a row does not tell that they are the same; their ids do.
_RUNS = """
select lower(run), upper(run)
from unnest((
  select range_agg(int8range(trade_id, trade_id + count))
  from public.ticks
  where instrument_id = %s and time >= %s and time < %s
)) as run
order by 1
"""


class HeldTrades:
    """The runs of ids that the database has of one instrument and day."""

    def __init__(self, connection: psycopg.Connection, number: int, span: Span) -> None:
        runs = connection.execute(_RUNS, (number, span.start, span.end)).fetchall()
        self._starts: list[int] = [int(start) for start, _ in runs]
        self._ends: list[int] = [int(end) for _, end in runs]

    def without(self, trades: Iterable[Trade]) -> list[Trade]:
        """Those of which nothing is held. One that is held in part is left out: the rest of it stays a hole."""
        if not self._starts:
            return list(trades)
        return [trade for trade in trades if not self._meets(trade)]

    def _meets(self, trade: Trade) -> bool:
        at = bisect_right(self._starts, trade.last_id) - 1
        return at >= 0 and self._ends[at] > trade.id
