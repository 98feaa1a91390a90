"""`marketdata replay`: captured frames to candles on standard output."""

import csv
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer
from marketdata.errors import RequestInvalid
from marketdata.exchanges.exchange import SurveyingDecoder
from marketdata.exchanges.registry import recording
from marketdata.jobs.replay import EXCERPTS_MAX, CapturedFrame, Replayed, read_capture, replay, survey
from marketdata.model.candle import Candle
from marketdata.model.timeframe import timeframe_named
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import plain

from cli.progress import Ticker

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
_SHOW_EVERY = 5_000


class Format(StrEnum):
    """How candles are printed."""

    CSV = "csv"
    JSON = "json"


def replay_files(
    files: Annotated[list[Path], typer.Argument(help="Capture files, in the order they were recorded; .gz or plain.")],
    exchange: Annotated[str, typer.Option(help="Whose frames they are.")],
    timeframe: Annotated[str, typer.Option(help="1m 5m 15m 1h 4h 12h 1d 1w")] = "1m",
    format: Annotated[Format, typer.Option(help="How to print the candles.")] = Format.CSV,
) -> None:
    """Feed recorded frames through the production adapter and bars, and print the candles. Needs no store."""
    frame = timeframe_named(timeframe)
    decoder = recording(exchange)
    if isinstance(decoder, SurveyingDecoder):
        _check_read_twice(files, exchange)
    with Ticker("replaying") as ticker:
        survey(_watched(files, ticker), decoder)
        replayed = replay(_watched(files, ticker), decoder, frame)
    rows = [row(candle) for candle in replayed.candles]
    (print_csv if format is Format.CSV else print_json)(rows, sys.stdout)
    _summarise(replayed)


def _check_read_twice(files: list[Path], exchange: str) -> None:
    for path in files:
        if path.exists() and not path.is_file():
            raise RequestInvalid(str(path), f"recordings of {exchange} are read twice: give a file, not a pipe")


def row(candle: Candle) -> dict[str, str | int | None]:
    """One candle as it is printed: RFC 3339 times, plain exact decimals, the rank's name."""
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
    }


def print_csv(rows: list[dict[str, str | int | None]], output: TextIO) -> None:
    """A header and a line a candle; what a venue does not give is empty."""
    writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_json(rows: list[dict[str, str | int | None]], output: TextIO) -> None:
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
        f"{ignored} of other channels, {replayed.malformed} malformed -> {len(replayed.candles)} candles",
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
