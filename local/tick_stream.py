"""The ticks of a synthetic market as a webhook takes them; the same seed, rate and symbols are always the same ticks.

Used by `marketdata feed-ticks`. What is told is the market of the tape (local/exchanges), so that any span of it can be
told again, and a feeder that stopped goes on where it was.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from marketdata.model.span import Span
from marketdata.model.times import rfc3339, utc
from marketdata.model.trade import Trade

from local.exchanges.products import Product
from local.exchanges.synthetic_products import synthetic_products
from local.exchanges.tape import OPENING, Tape

EXCHANGE = "webhook-simulated"
"""Invented ticks are labelled so wherever they go."""
ITEMS_MAX = 1_000
STEP = timedelta(seconds=30)
"""So much of the market is drawn at once; fewer minutes of each symbol than one request may carry."""

# Ids of another seed or rate are other ids; all of them fit what a JSON reader keeps exactly.
_STREAM_BITS, _ID_BITS = 12, 40

Item = dict[str, Any]


class TickStream:
    """All the ticks that one seed stands for."""

    def __init__(self, seed: int, rate: float, symbols: Sequence[str]) -> None:
        products = synthetic_products(symbols, rate)
        self._tape = Tape(seed, products)
        self._names = {product.symbol: name for product, name in zip(products, symbols, strict=True)}
        self._first_ids = {product.symbol: _first_id(seed, product) for product in products}

    def symbols(self) -> list[Item]:
        """What the webhook for symbols is told first."""
        products = self._tape.products
        return [
            {"symbol": name, "base": products[ours].base, "quote": products[ours].quote, "exchange": EXCHANGE}
            for ours, name in self._names.items()
        ]

    def batches(self, span: Span, items_max: int) -> Iterator[tuple[list[Item], datetime]]:
        """The ticks of `span` in order of time, at most `items_max` at once; and up to when all are told with that."""
        start = max(span.start, OPENING)
        while start < span.end:
            end = min(start + STEP, span.end)
            ticks = self._ticks(Span(start, end))
            for first in range(0, len(ticks), items_max):
                batch = ticks[first : first + items_max]
                last = first + items_max >= len(ticks)
                yield [self._item(tick) for tick in batch], end if last else utc(batch[-1].time_ns)
            start = end

    def _ticks(self, span: Span) -> list[Trade]:
        ticks = [tick for ours in self._names for tick in self._tape.trades(ours, span)]
        return sorted(ticks, key=lambda tick: (tick.time_ns, tick.symbol, tick.id))

    def _item(self, tick: Trade) -> Item:
        return {
            "symbol": self._names[tick.symbol],
            "exchange": EXCHANGE,
            "id": self._first_ids[tick.symbol] + tick.id,
            "time": rfc3339(utc(tick.time_ns)),
            "price": f"{tick.price:f}",
            "volume": f"{tick.size:f}",
            "side": tick.side.value,
        }


def _first_id(seed: int, product: Product) -> int:
    """Where the ids of a market begin; the tape makes it of these three."""
    said = f"{seed}/{product.symbol}/{product.trades_a_minute}".encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest()) >> (64 - _STREAM_BITS) << _ID_BITS
