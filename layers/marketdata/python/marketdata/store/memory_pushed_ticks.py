"""Pushed ticks in the in-memory store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from marketdata.compute.coverage import union
from marketdata.compute.fold_pushed import fold_pushed
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH, utc
from marketdata.model.trade import Trade
from marketdata.store.limits import trade_refused
from marketdata.store.memory_base import refuse
from marketdata.store.memory_exports import MemoryExports
from marketdata.store.pushed_ticks import Kept

_MICROSECOND = timedelta(microseconds=1)


class MemoryPushedTicks(MemoryExports):
    """The part of the Store protocol that is about ticks of markets that are only pushed."""

    def keep_ticks(self, exchange: str, ticks: Sequence[Trade]) -> list[Kept]:
        """See Store. Raises: also StoreError for a tick that cannot be; then nothing was written."""
        with self._lock:
            self._require((exchange, tick.symbol) for tick in ticks)
            refuse("keep_ticks", map(trade_refused, ticks))
            return [self._keep(exchange, tick) for tick in ticks]

    def fold_ticks(self, instrument: Instrument, spans: Sequence[Span]) -> int:
        """See Store. Raises: NotFound."""
        with self._lock:
            self._require([instrument.key])
            kept, history = self._trades[instrument.key], self._histories[instrument.key]
            ticks = [tick for span in union(spans) for tick in kept.between((span.start,), (span.end,))]
            held = {
                one.open_time: one
                for span in union(spans)
                for one in history.candles(M1, span.start, span.end, len(ticks) + 1, newest_first=False)
            }
            observed_at = max((one.observed_at for one in held.values()), default=EPOCH) + _MICROSECOND
            made = [replace(one, observed_at=observed_at) for one in fold_pushed(instrument, ticks)]
            changed = [one for one in made if not _says_the_same(held.get(one.open_time), one)]
            self.put_candles(changed)
            return len(changed)

    def _keep(self, exchange: str, tick: Trade) -> Kept:
        held = self._trades[exchange, tick.symbol].get((utc(tick.time_ns), tick.id))
        if held is None:
            self.put_trades(exchange, [tick])
            return Kept.ADDED
        return Kept.DUPLICATE if _facts(held) == _facts(tick) else Kept.CONFLICT


def _facts(tick: Trade) -> tuple[object, ...]:
    return (tick.price, tick.size, tick.side, tick.count)


def _says_the_same(held: Candle | None, made: Candle) -> bool:
    return held is not None and replace(held, revision=0, observed_at=made.observed_at) == made
