"""Trades that come when their minute is no longer in memory: its candle is made anew from the exchange's trades.

Run by follow_live. A minute that the store holds as complete is fetched at once, with the trade before it and the one
after it, and written as proven: the merge takes the late trade in, the parents are rolled up again, and it is told as a
revision. Minutes that are not held go on the gap ledger, for the mover. Where trades cannot be asked for by id, a held
minute is left to the daily comparison with the exchange's own candles.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from marketdata.clock import Clock
from marketdata.compute.bars import Change
from marketdata.compute.coverage import union
from marketdata.errors import RemoteError
from marketdata.jobs.mend import Mender
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import utc
from marketdata.model.trade import Trade
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

CAUSE = "late"
MINUTES_MAX = 10_000
ATTEMPTS_MAX = 5
CANDLES_A_READ = 1_000

Tell = Callable[[Instrument, Change], None]
"""Takes a change on its way to the store and from there to the hub."""


class CorrectLate:
    """The minutes of one exchange that late trades are of; `mender` is None where trades cannot be asked for by id."""

    def __init__(self, store: Store, clock: Clock, mender: Mender | None, tell: Tell) -> None:
        self._store = store
        self._clock = clock
        self._mender = mender
        self._tell = tell
        self._unheld: dict[str, tuple[Instrument, dict[Span, Trade]]] = {}
        self._wrong: dict[tuple[str, Span], tuple[Instrument, Trade, int]] = {}

    def note(self, instrument: Instrument, late: Iterable[Trade]) -> None:
        """These trades came too late for the bars in memory."""
        minutes = self._unheld.setdefault(instrument.symbol, (instrument, {}))[1]
        for trade in late:
            if len(minutes) < MINUTES_MAX:
                opens = utc(M1.floor_ns(trade.time_ns))
                minutes[Span(opens, opens + M1.duration)] = trade

    async def look(self) -> None:
        """Sort what came, and correct one minute. Raises: StoreError; then all of it is tried again."""
        for symbol, (instrument, minutes) in list(self._unheld.items()):
            await self._sort(instrument, dict(minutes))
            if not minutes:
                del self._unheld[symbol]
        if self._wrong:
            await self._correct(next(iter(self._wrong)))

    async def _sort(self, instrument: Instrument, minutes: dict[Span, Trade]) -> None:
        """Tell the minutes that are held, and wrong, from those that are missing anyway."""
        held = await asyncio.to_thread(self._held, instrument, union(minutes))
        missing = [span for span in minutes if span not in held]
        if missing:
            record = self._store.record_gaps
            await asyncio.to_thread(record, instrument, M1, missing, cause=CAUSE, found_at=self._clock.now())
        for span, trade in minutes.items():
            if span in held and len(self._wrong) < MINUTES_MAX:
                self._wrong[instrument.symbol, span] = (instrument, trade, 0)
            self._unheld[instrument.symbol][1].pop(span, None)
        facts = {"exchange": instrument.exchange, "symbol": instrument.symbol, "minutes": len(minutes)}
        logger.info("trades too late for the bars", extra={**facts, "missing": len(missing)})

    async def _correct(self, key: tuple[str, Span]) -> None:
        instrument, trade, attempts = self._wrong.pop(key)
        candle: Candle | None = None
        try:
            candle = await self._mender.proven_minute(trade) if self._mender is not None else None
        except RemoteError as error:
            logger.warning("a late trade waits", extra={"symbol": trade.symbol, "reason": error.reason})
        if candle is not None:
            self._tell(instrument, Change(candle, closed=True, revised=True))
        elif self._mender is not None and attempts + 1 < ATTEMPTS_MAX:
            self._wrong[key] = (instrument, trade, attempts + 1)
        else:
            facts = {"exchange": instrument.exchange, "symbol": instrument.symbol, "minute": str(key[1].start)}
            logger.error("a late trade is left to the comparison with the exchange's candles", extra=facts)

    def _held(self, instrument: Instrument, spans: Iterable[Span]) -> set[Span]:
        """The minutes of the spans that are more than partial."""
        found: list[Candle] = []
        for span in spans:
            start = span.start
            while start < span.end:
                page = self._store.candles(instrument, M1, start=start, end=span.end, limit=CANDLES_A_READ)
                found += page
                start = page[-1].close_time if len(page) == CANDLES_A_READ else span.end
        return {Span(one.open_time, one.close_time) for one in found if one.complete}
