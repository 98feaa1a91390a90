"""Recorded frames through the production adapter and bars, without a store: how strangers check us.

A capture file is NDJSON, plain or gzip: `{"received_at": "<RFC 3339, or null>", "frame": "<raw text>"}` a line.
`marketdata record` writes one, `marketdata replay` reads them.
"""

import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from marketdata.compute.audit import Auditor, Verdict
from marketdata.compute.bars import Bars
from marketdata.compute.sampled_bars import SampledBars
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.exchange import FrameDecoder, SurveyingDecoder
from marketdata.model.candle import Candle
from marketdata.model.events import Claim, Disconnected, Heartbeat, Ignored, Malformed, Subscribed
from marketdata.model.quote import Quote
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.trade import Trade

_FOLD_EVERY = 10_000
_CLAIMED_LATE_NS = 2 * M1.duration_ns
_GZIP_MAGIC = b"\x1f\x8b"
EXCERPTS_MAX = 20


class CapturedFrame(msgspec.Struct, frozen=True):
    """One line of a capture file."""

    received_at: datetime | None
    frame: str


@dataclass(slots=True)
class Replayed:
    """What a replay made: candles sorted by symbol and open time, and what it could not use.

    `verdicts`: what the exchange says of its own minutes, each checked by the trades that it speaks of.
    """

    candles: list[Candle] = field(default_factory=list)
    frames: int = 0
    trades: int = 0
    quotes: int = 0
    duplicates: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    malformed: int = 0
    excerpts: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def read_capture(path: Path) -> Iterator[CapturedFrame]:
    """The frames of one capture file, in order. Raises: RequestInvalid naming the file and the line."""
    decode = msgspec.json.Decoder(CapturedFrame).decode
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == _GZIP_MAGIC
            lines = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _captured(decode, line, path, number)
    except (OSError, EOFError) as error:
        raise RequestInvalid(str(path), str(error)) from error


def _captured(decode: Callable[[bytes], CapturedFrame], line: bytes, path: Path, number: int) -> CapturedFrame:
    try:
        return decode(line)
    except (msgspec.DecodeError, ValueError) as error:
        raise RequestInvalid(f"{path}, line {number}", f"not a captured frame: {error}") from error


def survey(frames: Iterable[CapturedFrame], decoder: FrameDecoder) -> None:
    """Let a decoder that wants it see everything once before the replay."""
    if isinstance(decoder, SurveyingDecoder):
        for captured in frames:
            decoder.survey(captured.frame)


def replay(
    frames: Iterable[CapturedFrame], decoder: FrameDecoder, timeframe: Timeframe, quoted: SampledBars | None = None
) -> Replayed:
    """The candles of all trades in `frames`; a malformed frame is counted and kept as an excerpt, as the feed does.

    `quoted` makes those of quotes, where an exchange streams quotes.
    """
    player = _Player(decoder, timeframe, quoted)
    for captured in frames:
        player.play(captured)
    return player.finish()


class _Player:
    def __init__(self, decoder: FrameDecoder, timeframe: Timeframe, quoted: SampledBars | None) -> None:
        self._decoder = decoder
        self._quoted = quoted
        self._timeframe = timeframe
        self._bars: dict[str, Bars] = {}
        self._auditors: dict[str, Auditor] = {}
        self._newest_ns: dict[str, int] = {}
        self._flowing: set[str] = set()
        self._replayed = Replayed()

    def play(self, captured: CapturedFrame) -> None:
        self._replayed.frames += 1
        try:
            events = self._decoder.decode(captured.frame, captured.received_at)
        except RemoteMalformed as error:
            self._quarantine(error.reason, error.excerpt)
            return
        for event in events:
            if type(event) is Trade:
                self._bars_of(event.symbol).add(event)
                self._auditor(event.symbol).add(event)
                self._newest_ns[event.symbol] = event.time_ns
                self._replayed.trades += 1
            elif isinstance(event, Quote):
                self._quote(event)
            elif isinstance(event, Claim):
                self._auditor(event.symbol).claim(event)
            elif isinstance(event, Heartbeat):
                self._beat(event)
            elif isinstance(event, Malformed):
                self._quarantine(event.reason, event.excerpt)
            elif isinstance(event, Ignored):
                self._replayed.ignored[event.kind] += 1
            elif isinstance(event, Subscribed):
                self._acknowledge(event.symbols)
            elif isinstance(event, Disconnected):
                self._disconnect()
        if self._replayed.frames % _FOLD_EVERY == 0:
            self._fold()

    def finish(self) -> Replayed:
        """Close the books: every candle, by symbol and open time."""
        for symbol in sorted(self._bars):
            bars = self._bars[symbol]
            self._replayed.candles.extend(change.candle for change in bars.take())
            self._replayed.duplicates += bars.counts.duplicates
        if self._quoted is not None:
            self._replayed.candles.extend(self._quoted.candles())
        for symbol in sorted(self._auditors):
            self._replayed.verdicts += self._auditors[symbol].take(None)
        return self._replayed

    def _bars_of(self, symbol: str) -> Bars:
        bars = self._bars.get(symbol)
        if bars is None:
            bars = self._bars[symbol] = Bars(
                self._decoder.name, symbol, self._timeframe, ids_contiguous=self._decoder.ids_contiguous
            )
            if symbol in self._flowing:
                bars.acknowledged()
        return bars

    def _quote(self, quote: Quote) -> None:
        self._replayed.quotes += 1
        if self._quoted is not None:
            self._quoted.add(quote)

    def _auditor(self, symbol: str) -> Auditor:
        auditor = self._auditors.get(symbol)
        if auditor is None:
            auditor = self._auditors[symbol] = Auditor(self._decoder.name, symbol)
        return auditor

    def _beat(self, heartbeat: Heartbeat) -> None:
        if self._quoted is not None:
            self._quoted.heartbeat(heartbeat)
        symbols = self._bars if heartbeat.symbol is None else (heartbeat.symbol,)
        for symbol in symbols:
            if symbol in self._bars:
                self._bars[symbol].heartbeat(heartbeat)

    def _acknowledge(self, symbols: Iterable[str]) -> None:
        self._flowing.update(symbols)
        for symbol in self._flowing.intersection(self._bars):
            self._bars[symbol].acknowledged()

    def _disconnect(self) -> None:
        self._flowing.clear()
        if self._quoted is not None:
            self._quoted.disconnected()
        for bars in self._bars.values():
            bars.disconnected()

    def _fold(self) -> None:
        for bars in self._bars.values():
            bars.fold()
        for symbol, newest_ns in self._newest_ns.items():
            self._replayed.verdicts += self._auditors[symbol].take(M1.floor_ns(newest_ns - _CLAIMED_LATE_NS))

    def _quarantine(self, reason: str, excerpt: str) -> None:
        self._replayed.malformed += 1
        if len(self._replayed.excerpts) < EXCERPTS_MAX:
            self._replayed.excerpts.append(f"{reason}: {excerpt}")
