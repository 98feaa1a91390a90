"""A page of candles with what it lacks and its version: the answer of `read_candles_v2` (migrations/)."""

import msgspec

from marketdata.model.gap import GapState, NamedSpan
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import Timeframe
from marketdata.store.answers import CandlePage
from marketdata.store.candle_rows import CandleColumns
from marketdata.store.wire import require_one_length, spans


class NamedColumns(msgspec.Struct):
    """What the ledger says: one list a column, all of one length; times in microseconds."""

    start: list[int]
    end: list[int]
    state: list[GapState]
    reason: list[str]

    def __post_init__(self) -> None:
        require_one_length(self)


class PageColumns(msgspec.Struct):
    """The page itself; spans are pairs of start and end."""

    candles: CandleColumns
    empty: list[tuple[int, int]]
    lacking: list[tuple[int, int]]
    lacking_total: int
    gaps: NamedColumns
    gaps_cut: bool

    def page(self, instrument: Instrument, timeframe: Timeframe, version: str) -> CandlePage:
        """The value that the columns stand for."""
        edges = spans(list(zip(self.gaps.start, self.gaps.end, strict=True)))
        named = zip(edges, self.gaps.state, self.gaps.reason, strict=True)
        return CandlePage(
            self.candles.candles(instrument, timeframe),
            empty=spans(self.empty),
            lacking=spans(self.lacking),
            lacking_total=self.lacking_total,
            named=tuple(NamedSpan(*one) for one in named),
            named_cut=self.gaps_cut,
            version=version,
        )


class VersionedPage(msgspec.Struct):
    """The whole answer."""

    page: PageColumns
    version: str
