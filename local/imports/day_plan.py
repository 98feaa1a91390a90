"""What an import of whole days of trades and candles fetches, and how: Binance's archive. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from marketdata.exchanges.exchange import ArchiveDay, Request, TradeArchive
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH

from local.imports.plan import Content, Plan, require_days, whole_days


@dataclass(frozen=True, slots=True)
class DayFile:
    """One day's file: trades, or the exchange's own minute candles."""

    day: ArchiveDay
    of_trades: bool

    @property
    def span(self) -> Span:
        """The day."""
        return self.day.span

    @property
    def place(self) -> str:
        """Where a copy belongs: as the archive lays it out."""
        return self.day.request.path.removeprefix("/").removeprefix("data/")


def plan_days(archive: TradeArchive, symbol: str, span: Span, *, content: Content, chunk: timedelta) -> Plan[DayFile]:
    """The exchange's candles of every day that shares a moment with `span`, and its trades if they are wanted.

    Candles are asked for even where trades are wanted: they check what the trades make, and stand in where trades prove
    nothing. Raises: RequestInvalid for a chunk that is not of whole days.
    """
    require_days(chunk)
    days = whole_days(span)
    files = [DayFile(day, of_trades=False) for day in archive.candle_days(symbol, M1, days)]
    if content is Content.TICKS:
        files += [DayFile(day, of_trades=True) for day in archive.trade_days(symbol, days)]
    return Plan(symbol, days, content, chunk, tuple(sorted(files, key=lambda file: (file.span, file.of_trades))))


def ask_days(get: Callable[[Request], bytes], archive: TradeArchive, symbol: str) -> Callable[[DayFile], bytes]:
    """Asks for a day's file and for its checksum, and believes only a file that is what its checksum says.

    Candles are read at once, so that no bad file is kept; a day's trades are too many to be read twice.
    """

    def ask(file: DayFile) -> bytes:
        checksum = get(file.day.checksum)
        body = get(file.day.request)
        archive.verify(body, checksum)
        if not file.of_trades:
            archive.parse_candles(body, symbol, M1, EPOCH)
        return body

    return ask
