"""Files of Dukascopy's archive, written by the tests themselves: the wire formats, spelled out."""

import lzma
import struct
from collections.abc import Sequence

Tick = tuple[int, int, int, float, float]
"""Milliseconds since the hour, ask, bid, ask volume, bid volume."""


def bi5(ticks: Sequence[Tick]) -> bytes:
    """An hour of ticks."""
    return packed(b"".join(struct.pack(">3i2f", *tick) for tick in ticks))


def bi5_candles(rows: Sequence[tuple[int, int, int, int, int, float]]) -> bytes:
    """Candles: seconds, open, close, low, high, volume."""
    return packed(b"".join(struct.pack(">5if", *row) for row in rows))


def packed(content: bytes) -> bytes:
    """As the archive packs it."""
    return lzma.compress(content, format=lzma.FORMAT_ALONE)
