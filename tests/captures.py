"""The real recordings that tests read in place, where they exist, turned into the frames that an exchange sent.

They are third-party data and no part of this repository; tests skip, saying so, where the folder is absent.
"""

import csv
import gzip
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from marketdata.model.span import Span

FOLDER = Path(__file__).parents[2] / "shared" / "captures"

needs_captures = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the recordings are not here: no folder {FOLDER.name}")

_RECEIVED = re.compile(r"^(\d+\.\d+): (.*)$", re.DOTALL)
Captured = tuple[datetime | None, str]


def exchange_matches() -> Iterator[Captured]:
    """447 `match` frames of three products, 2025-08-22."""
    for item in json.loads((FOLDER / "coinbase/exchange_matches_2025-08-22.json").read_text()):
        yield datetime.fromisoformat(item["timestamp_captured"]), json.dumps(item["raw_message"])


def pro_feed() -> Iterator[Captured]:
    """Ten thin products with `last_match` and many unused channels, 2021-04-17."""
    yield from _prefixed_lines("coinbase/pro_ws_10products_2021-04-17.txt.gz")


def advanced_trade() -> Iterator[Captured]:
    """The Advanced Trade feed with five channels, 2026-08-09."""
    with gzip.open(FOLDER / "coinbase/advtrade_ws_btc_eth_2026-08-09.jsonl.gz", "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if record["t"] == "recv":
                yield datetime.fromtimestamp(record["ts"], UTC), record["data"]


def oanda_day(day: str) -> Iterator[Captured]:
    """The ticks of a day of EUR/USD as lines of OANDA's stream: bid and ask by the millisecond."""
    midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    for milliseconds, bid, ask in lean_rows(f"oanda/tick_eurusd_{day}_quote.zip"):
        time = (midnight + timedelta(milliseconds=int(milliseconds))).isoformat().replace("+00:00", "Z")
        prices = {"bids": [{"price": bid}], "asks": [{"price": ask}]}
        yield None, json.dumps({"type": "PRICE", "instrument": "EUR_USD", "time": time, **prices})


def lean_rows(path: str) -> Iterator[list[str]]:
    """The rows of the one file in a packed recording."""
    with zipfile.ZipFile(FOLDER / path) as packed:
        for line in packed.read(packed.namelist()[0]).decode().splitlines():
            yield line.split(",")


def binance_spot() -> Iterator[Captured]:
    """Three kinds of frames of BTCUSDT, `trade` among them, 2023-04-05."""
    yield from _stamped_lines("spot_btcusdt_20230405.dat.gz")


def binance_futures() -> Iterator[Captured]:
    """USD-margined BTCUSDT over midnight, 2023-04-04 to 05, from two files."""
    yield from _stamped_lines("usdm_btcusdt_20230404.dat.gz")
    yield from _stamped_lines("usdm_btcusdt_20230405.dat.gz")


def _stamped_lines(name: str) -> Iterator[Captured]:
    with gzip.open(FOLDER / "binance" / name, "rt") as lines:
        for line in lines:
            stamp, _, frame = line.rstrip("\n").partition(" ")
            yield datetime.fromtimestamp(int(stamp) / 1e6, UTC), frame


def binance_aggregates(name: str) -> Iterator[Captured]:
    """`aggTrade` with `kline_1m`, depth and quotes; `name` as in `spot_2021-04-17`."""
    yield from _prefixed_lines(f"binance/aggtrade_kline_{name}.txt.gz")


def _prefixed_lines(name: str) -> Iterator[Captured]:
    with gzip.open(FOLDER / name, "rt") as lines:
        for line in lines:
            if match := _RECEIVED.match(line.rstrip("\n")):
                yield datetime.fromtimestamp(float(match[1]), UTC), match[2]


def write_capture(frames: Iterator[Captured], path: Path) -> Path:
    """Write frames in our own capture format; gzip when the name says so."""
    lines = (json.dumps({"received_at": stamp and stamp.isoformat(), "frame": frame}) + "\n" for stamp, frame in frames)
    text = "".join(lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def candle_pages(archive: str) -> list[bytes]:
    """Every recorded answer of an exchange's candle history in a zip file of them, in order of their names."""
    with zipfile.ZipFile(FOLDER / archive) as pages:
        return [pages.read(name) for name in sorted(pages.namelist())]


def expected_spans(name: str) -> list[Span]:
    """What others found missing between the first and the last row of a recording."""
    with (FOLDER / "expected" / name).open() as file:
        return [Span(_time(row["gap_start"]), _time(row["gap_end"])) for row in csv.DictReader(file)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def bitfinex_websocket() -> Iterator[Captured]:
    """Eight pairs with trades, books and tickers, every frame numbered, 2021-04-05."""
    with gzip.open(FOLDER / "bitfinex/ws_8pairs_2021-04-05.txt.gz", "rt") as lines:
        for line in lines:
            if match := _RECEIVED.match(line.rstrip("\n")):
                yield datetime.fromtimestamp(float(match[1]), UTC), match[2]
