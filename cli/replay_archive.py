"""`marketdata replay --exchange dukascopy`: archive files to candles or ticks on standard output."""

from collections.abc import Sequence
from pathlib import Path

import typer
from marketdata.jobs.replay_archive import ReplayedArchive, replay_archive
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import rfc3339, utc
from marketdata.serve.decimals import plain

from cli.progress import Ticker

TICK_COLUMNS = ("exchange", "symbol", "time", "bid", "ask", "bid_size", "ask_size")


def replay_archive_files(
    exchange: str, files: Sequence[Path], timeframe: Timeframe | None, sides: Sequence[PriceSide], *, ticks: bool
) -> ReplayedArchive:
    """Read the files; with `ticks` keep every quote."""
    with Ticker("replaying") as ticker:
        replayed = replay_archive(
            files, timeframe=timeframe, sides=sides, keep_quotes=ticks, on_file=lambda path: ticker.show(path.name)
        )
    typer.echo(
        f"{replayed.files} files of {exchange}: {replayed.ticks} ticks -> {len(replayed.candles)} candles", err=True
    )
    return replayed


def tick_row(exchange: str, quote: Quote) -> dict[str, str | None]:
    """One quote as it is printed."""
    return {
        "exchange": exchange,
        "symbol": quote.symbol,
        "time": rfc3339(utc(quote.time_ns)),
        "bid": plain(quote.bid),
        "ask": plain(quote.ask),
        "bid_size": None if quote.bid_size is None else plain(quote.bid_size),
        "ask_size": None if quote.ask_size is None else plain(quote.ask_size),
    }
