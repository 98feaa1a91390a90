"""Pushed ticks in the Supabase store: the arguments and answers of the database's functions for them."""

from collections.abc import Sequence
from functools import partial

from marketdata.compute.coverage import union
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import utc
from marketdata.model.trade import Trade
from marketdata.store.batches import batches
from marketdata.store.pushed_ticks import Kept
from marketdata.store.supabase_market import SupabaseMarket
from marketdata.store.trade_rows import trade_row
from marketdata.store.wire import multirange


class SupabasePushedTicks(SupabaseMarket):
    """The part of the Store protocol that is about ticks of markets that are only pushed."""

    def keep_ticks(self, exchange: str, ticks: Sequence[Trade]) -> list[Kept]:
        """See Store. An answer that was lost on the way is asked for again; what was added at first is held then."""
        ids = self._numbers.of_all("keep_ticks", {(exchange, tick.symbol) for tick in ticks})
        kept: list[Kept] = []
        for batch in batches(ticks):
            rows = [trade_row(tick, ids[exchange, tick.symbol]) for tick in batch]
            ask = partial(self._client.call, "keep_ticks", "keep_ticks_v1", {"p_ticks": rows}, list[Kept])
            kept += self._making_room("keep_ticks", [utc(tick.time_ns) for tick in batch], ask)
        return kept

    def fold_ticks(self, instrument: Instrument, spans: Sequence[Span]) -> int:
        """See Store. An answer that was lost on the way is asked for again; what changed at first is not counted."""
        arguments = {
            "p_instrument_id": self._numbers.of("fold_ticks", instrument),
            "p_spans": multirange(union(spans)),
        }
        ask = partial(self._client.call, "fold_ticks", "fold_ticks_v1", arguments, int)
        # The months of candles and of ticks are pruned each by itself.
        return self._making_room("fold_ticks", [span.start for span in spans], ask)
