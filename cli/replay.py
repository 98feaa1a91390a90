"""`marketdata replay`: captured frames to candles on standard output."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer
from marketdata.compute.sampled_bars import SampledBars
from marketdata.errors import RequestInvalid
from marketdata.exchanges.archives import ARCHIVES
from marketdata.exchanges.exchange import SurveyingDecoder
from marketdata.exchanges.registry import adapter_for, recording
from marketdata.jobs.replay import EXCERPTS_MAX, CapturedFrame, Replayed, read_capture, replay, survey
from marketdata.model.candle import Candle
from marketdata.model.quote import PriceSide, side_of
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import plain

from cli.progress import Ticker
from cli.replay_archive import TICK_COLUMNS, replay_archive_files, tick_row

COLUMNS = (
    "exchange",
    "symbol",
    "timeframe",
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "vwap",
    "source",
)
QUOTED = (*COLUMNS, "price")
"""Candles of quotes say of which price they are."""
_SHOW_EVERY = 5_000


class Format(StrEnum):
    """How candles are printed."""

    CSV = "csv"
    JSON = "json"


def replay_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Capture files, in the order they were recorded, .gz or plain; for dukascopy .bi5 files in their"
            " folders (EURUSD/2019/01/04/13h_ticks.bi5, months from 00), or such folders."
        ),
    ],
    exchange: Annotated[str, typer.Option(help="Whose frames they are.")],
    timeframe: Annotated[
        str | None, typer.Option(help="1m 5m 15m 1h 4h 12h 1d 1w; 1m if not given, candle files are of their own.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the candles.")] = Format.CSV,
    price: Annotated[
        list[PriceSide] | None,
        typer.Option(help="Of quotes: bid, ask or mid; repeat for more. Dukascopy: bid; oanda: all three."),
    ] = None,
    ticks: Annotated[bool, typer.Option("--ticks", help="Print the ticks of an archive instead of candles.")] = False,
) -> None:
    """Feed recorded frames through the production adapter and bars, and print the candles. Needs no store."""
    frame = timeframe_named(timeframe) if timeframe else None
    if exchange in ARCHIVES:
        sides = price or [PriceSide.BID]
        archived = replay_archive_files(exchange, files, frame, sides, ticks=ticks)
        if ticks:
            _print([tick_row(exchange, quote) for quote in archived.quotes], TICK_COLUMNS, format)
        else:
            _print([row(one, side_of(one.symbol, PriceSide.BID)[1]) for one in archived.candles], QUOTED, format)
        return
    if ticks:
        raise RequestInvalid("--ticks", f"is for archives: {', '.join(ARCHIVES)}")
    _replay_captures(files, exchange, frame or M1, price, format)


def _replay_captures(
    files: list[Path], exchange: str, timeframe: Timeframe, price: list[PriceSide] | None, format: Format
) -> None:
    usual = adapter_for(exchange).usual_side
    if price and usual is None:
        raise RequestInvalid("--price", f"{exchange} streams trades, which have one price")
    quoted = SampledBars(exchange, price or list(PriceSide), usual, timeframe) if usual else None
    decoder = recording(exchange)
    if isinstance(decoder, SurveyingDecoder):
        _check_read_twice(files, exchange)
    with Ticker("replaying") as ticker:
        survey(_watched(files, ticker), decoder)
        replayed = replay(_watched(files, ticker), decoder, timeframe, quoted)
    rows = [row(one, side_of(one.symbol, usual)[1] if usual else None) for one in replayed.candles]
    _print(rows, QUOTED if usual else COLUMNS, format)
    _summarise(replayed)


def _print(rows: Sequence[Mapping[str, str | int | None]], columns: Sequence[str], format: Format) -> None:
    if format is Format.CSV:
        print_csv(rows, sys.stdout, columns)
    else:
        print_json(rows, sys.stdout)


def _check_read_twice(files: list[Path], exchange: str) -> None:
    for path in files:
        if path.exists() and not path.is_file():
            raise RequestInvalid(str(path), f"recordings of {exchange} are read twice: give a file, not a pipe")


def row(candle: Candle, price: PriceSide | None = None) -> dict[str, str | int | None]:
    """One candle as it is printed: RFC 3339 times, plain exact decimals, the rank's name, and of which price it is."""
    return {
        "exchange": candle.exchange,
        "symbol": candle.symbol,
        "timeframe": candle.timeframe.name,
        "open_time": rfc3339(candle.open_time),
        "open": plain(candle.open),
        "high": plain(candle.high),
        "low": plain(candle.low),
        "close": plain(candle.close),
        "volume": plain(candle.volume),
        "quote_volume": None if candle.quote_volume is None else plain(candle.quote_volume),
        "trades": candle.trades,
        "vwap": None if candle.vwap is None else plain(candle.vwap),
        "source": candle.source.label,
        **({} if price is None else {"price": price.value}),
    }


def print_csv(rows: Sequence[Mapping[str, str | int | None]], output: TextIO, columns: Sequence[str] = COLUMNS) -> None:
    """A header and a line a candle; what a venue does not give is empty."""
    writer = csv.DictWriter(output, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_json(rows: Sequence[Mapping[str, str | int | None]], output: TextIO) -> None:
    """An array of objects; decimals are strings, so that nothing reads them as floats."""
    output.write(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n")


def _watched(files: list[Path], ticker: Ticker) -> Iterator[CapturedFrame]:
    frames = 0
    for path in files:
        for captured in read_capture(path):
            frames += 1
            if frames % _SHOW_EVERY == 0:
                ticker.show(f"{path.name}, {frames} frames")
            yield captured


def _summarise(replayed: Replayed) -> None:
    ignored = sum(replayed.ignored.values())
    typer.echo(
        f"{replayed.frames} frames: {replayed.trades} trades ({replayed.duplicates} seen twice), "
        + (f"{replayed.quotes} quotes, " if replayed.quotes else "")
        + f"{ignored} of other channels, {replayed.malformed} malformed -> {len(replayed.candles)} candles",
        err=True,
    )
    _summarise_audit(replayed)
    for excerpt in replayed.excerpts:
        typer.echo(f"malformed: {excerpt}", err=True)


def _summarise_audit(replayed: Replayed) -> None:
    if not replayed.verdicts:
        return
    covered = [verdict for verdict in replayed.verdicts if verdict.covered]
    differing = [verdict for verdict in covered if not verdict.agrees]
    typer.echo(
        f"{len(replayed.verdicts)} candles of the exchange itself: {len(covered)} can be checked, "
        f"{len(covered) - len(differing)} equal ours",
        err=True,
    )
    for verdict in differing[:EXCERPTS_MAX]:
        claim, names = verdict.claim, ", ".join(verdict.differing)
        typer.echo(f"differs: {claim.symbol} trades {claim.first_id} to {claim.last_id} in {names}", err=True)
