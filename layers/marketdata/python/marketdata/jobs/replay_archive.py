"""Files of an archive, in the folders that they lie in at the exchange, to ticks or candles, without a store."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marketdata.compute.coverage import Spans, union
from marketdata.compute.quote_bars import QuoteBars
from marketdata.errors import RequestInvalid
from marketdata.exchanges.dukascopy_classic import DukascopyClassic, file_at
from marketdata.exchanges.exchange import ArchiveFile
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide, Quote, sided
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import EPOCH

FILE_BYTES_MAX = 32 * 2**20


@dataclass(slots=True)
class ReplayedArchive:
    """What the files held: `candles` by symbol, timeframe and time; `quotes`, if asked for, in the files' order."""

    candles: list[Candle] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    files: int = 0
    ticks: int = 0


def replay_archive(
    paths: Iterable[Path],
    *,
    timeframe: Timeframe | None,
    sides: Sequence[PriceSide],
    keep_quotes: bool = False,
    on_file: Callable[[Path], object] = lambda _path: None,
) -> ReplayedArchive:
    """The candles of ticks and of candle files, of the prices `sides`.

    Ticks make candles of `timeframe`, 1m if none is asked for; candle files are of their own, left out if another is
    asked for. Where both give a candle, it is made of ticks: these say how many they are.
    Raises: RequestInvalid for a path that is not of the layout; RemoteMalformed for a file that cannot be read.
    """
    player = _Player(timeframe, sides, keep_quotes)
    for file, path in sorted(_files(paths), key=lambda one: (one[0].symbol, one[0].span)):
        on_file(path)
        player.play(file, _read(path))
    return player.finish()


class _Player:
    def __init__(self, timeframe: Timeframe | None, sides: Sequence[PriceSide], keep_quotes: bool) -> None:
        self._archive = DukascopyClassic()
        self._timeframe = timeframe
        self._sides = tuple(sides)
        self._keep_quotes = keep_quotes
        self._bars: dict[tuple[str, PriceSide], QuoteBars] = {}
        self._whole: defaultdict[str, Spans] = defaultdict(tuple)
        self._candles: dict[tuple[str, int, object], Candle] = {}
        self._replayed = ReplayedArchive()

    def play(self, file: ArchiveFile, body: bytes) -> None:
        self._replayed.files += 1
        if file.timeframe is None:
            self._play_ticks(file, self._archive.parse_ticks(body, file).quotes())
        elif file.side in self._sides and self._timeframe in {None, file.timeframe}:
            self._keep(self._archive.parse_candles(body, file, EPOCH))

    def _play_ticks(self, file: ArchiveFile, quotes: list[Quote]) -> None:
        self._replayed.ticks += len(quotes)
        self._whole[file.symbol] = union(self._whole[file.symbol], (file.span,))
        if self._keep_quotes:
            self._replayed.quotes += quotes
        for side in self._sides:
            if (file.symbol, side) not in self._bars:
                symbol = sided(file.symbol, side, self._archive.usual_side)
                self._bars[file.symbol, side] = QuoteBars(self._archive.name, symbol, side, self._timeframe or M1)
            self._bars[file.symbol, side].add(quotes)

    def finish(self) -> ReplayedArchive:
        for (symbol, _), bars in self._bars.items():
            self._keep(bars.candles(self._whole[symbol], Source.VENUE))
        order = sorted(self._candles.values(), key=lambda one: (one.symbol, one.timeframe.minutes, one.open_time))
        self._replayed.candles = order
        return self._replayed

    def _keep(self, candles: Iterable[Candle]) -> None:
        self._candles.update({(one.symbol, one.timeframe.minutes, one.open_time): one for one in candles})


def _files(paths: Iterable[Path]) -> Iterator[tuple[ArchiveFile, Path]]:
    """The files named, and those below the folders named."""
    for path in paths:
        if path.is_dir():
            below = sorted(path.rglob("*.bi5"))
            if not below:
                raise RequestInvalid(str(path), "has no .bi5 files below it")
            yield from ((file_at(one.resolve().as_posix()), one) for one in below)
        else:
            yield file_at(path.resolve().as_posix()), path


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise RequestInvalid(str(path), f"is larger than {FILE_BYTES_MAX:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise RequestInvalid(str(path), f"cannot be read: {error.strerror}") from error
