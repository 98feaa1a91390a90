"""Fill whole days of a long span with candles that are proven, from the exchange's archive of trades.

Called by fill_gaps before anything else is asked: a day is two requests, however much was traded. The minutes at the
ends of a run of days miss a neighbour's trade; they, and days that the archive has not, are left to the other ways. So
is everything while the archive is away, for the exchange itself may be asked; and the rest of a day for which the time
ran out, or the next run would begin that day anew and not end it either.
"""

from collections.abc import Callable
from dataclasses import dataclass

from marketdata.compute.bars import Bars
from marketdata.errors import RemoteMalformed, RemoteUnavailable
from marketdata.exchanges.exchange import ArchiveDay, TradeArchive
from marketdata.jobs.exchange_past import ArchivePast
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.candle import Source
from marketdata.model.span import Span

FOLD_EVERY = 10_000


def fill_by_archive(writer: GapWriter, past: ArchivePast, span: Span, go_on: Callable[[], bool]) -> None:
    """Write what whole days of `span` prove, newest first, while `go_on`. Raises: RemoteThrottled."""
    after: _Folded | None = None
    for day in reversed(past.archive.trade_days(writer.instrument.symbol, span)):
        if not go_on():
            return
        bars = Bars(writer.instrument.exchange, writer.instrument.symbol, ids_contiguous=True)
        try:
            _fold(bars, past, day, go_on)
        except RemoteMalformed as malformed:
            writer.note(f"{day.span.start:%Y-%m-%d}: {malformed.reason}")
            after = None
            continue
        except RemoteUnavailable as away:
            writer.note(f"archive: {away.reason}")
            return
        before, after = after, _Folded(day.span, bars)
        if before is not None:
            _join(after.bars, before.bars)
            _write(writer, before)
        _write(writer, after)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A day's candles."""

    span: Span
    bars: Bars


def _fold(bars: Bars, past: ArchivePast, day: ArchiveDay, go_on: Callable[[], bool]) -> None:
    archive: TradeArchive = past.archive
    checksum = past.get(day.checksum)
    body = past.get(day.request)
    archive.verify(body, checksum)
    for count, trade in enumerate(archive.parse_trades(body, bars.symbol), start=1):
        bars.add(trade)
        if count % FOLD_EVERY == 0:
            bars.fold()
            if not go_on():
                break
    bars.fold()
    if bars.seen.lowest == 0:
        # There is no trade before the first, which has the id 0 where there is an archive.
        bars.account_for(-1, -1)


def _join(bars: Bars, after: Bars) -> None:
    """The first trade of the day after proves the end of this one, and the last of this one the start of that."""
    if after.seen.lowest is not None and bars.seen.highest is not None:
        first_after, last = after.seen.lowest, bars.seen.highest
        bars.account_for(first_after, first_after)
        after.account_for(last, last)


def _write(writer: GapWriter, day: _Folded) -> None:
    candles = [change.candle for change in day.bars.take()]
    writer.put(one for one in candles if one.source is Source.PROVEN and one.open_time in day.span)
    empty = [one for one in day.bars.take_empty() if day.span.start <= one.start and one.end <= day.span.end]
    if empty:
        writer.mark_empty(empty)
