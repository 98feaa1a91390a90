"""Messages a second from frame to candle, on one core: ours, a plain port and cryptofeed, in turns, in one run.

All designs get the same invented trades and must give the same candles as plain exact sums. Time is the thread's CPU
time, so that a core shared with others is not counted; the figures to compare are the ratios.
"""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from benchmarks.candles import Key, PlainCandle, count_differences, reference_candles
from benchmarks.plain_port import BareJson, PlainPort
from benchmarks.production_path import DecodeAndBars, Follower, WholeStream
from benchmarks.result import Result, Table
from benchmarks.rounds import Design, Timing, joined, time_in_turns, times_as_long
from benchmarks.tape import Tape, invent_tape

MESSAGES = 200_000
PORTION_FRAMES = 10_000
PRODUCTS_FEW, PRODUCTS_MANY = 10, 400
PASSES_FEW, PASSES_MANY = 3, 1

OURS = "ours: decode + bars"
OURS_ADVANCED = "ours, cryptofeed's frames"
FOLLOWER = "ours, in the feed's follower"
STREAM = "ours, in the stream's loop"
PLAIN = "json + pydantic + Decimal"
CRYPTOFEED = "cryptofeed 2.4.1"
JSON = "json.loads, no candles"

PLAIN_TIMES_MIN, CRYPTOFEED_TIMES_MIN = 4.0, 2.0

_COLUMNS = ("design", "ns, best", "ns, median", "messages/s", "x ours, best", "x ours, in turns", "wrong")


class CandleDesign(Design, Protocol):
    """A way from frames to candles."""

    def candles(self) -> dict[Key, PlainCandle] | None:
        """What it made so far; None from one that makes none."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class Raced:
    """One race; `wrong` counts each design's candles that are not the reference's (None: it makes none)."""

    products: int
    candles: int
    frame_bytes: float
    timings: Mapping[str, Timing]
    wrong: Mapping[str, int | None]
    unproven: int


def run(announce: Callable[[str], None]) -> Result:
    """Race over few products and over many."""
    few = _race(PRODUCTS_FEW, PASSES_FEW, announce)
    many = _race(PRODUCTS_MANY, PASSES_MANY, announce)
    return Result("hot_path", (_table(few), _table(many)), (*_verdicts(few), *_remarks(few), *_remarks(many)))


def _race(products: int, passes: int, announce: Callable[[str], None]) -> Raced:
    announce(f"inventing {MESSAGES:,} trades of {products} products")
    tape = invent_tape(products=products, messages=MESSAGES)
    reference = reference_candles(tape.trades)
    # The tape is no garbage: nobody's collections need to look at it.
    gc.freeze()
    try:
        passed = []
        for number in range(passes):
            announce(f"{products} products, pass {number + 1} of {passes}")
            passed.append(_pass(tape, reference))
    finally:
        gc.unfreeze()
    return Raced(
        products,
        len(reference),
        tape.frame_bytes_mean,
        joined([timings for timings, _, _ in passed]),
        passed[-1][1],
        passed[-1][2],
    )


def _pass(tape: Tape, reference: Mapping[Key, PlainCandle]) -> tuple[dict[str, Timing], dict[str, int | None], int]:
    """The tape once through every design: timings, wrong candles by design, and our unproven ones."""
    ours = DecodeAndBars(OURS, tape, portion_frames=PORTION_FRAMES)
    designs: list[CandleDesign] = [ours, *_others(tape)]
    try:
        timings = time_in_turns(designs, MESSAGES // PORTION_FRAMES)
        wrong = {design.name: _count_wrong(design, reference) for design in designs}
    finally:
        for design in designs:
            design.close()
    return timings, wrong, ours.unproven()


def _others(tape: Tape) -> list[CandleDesign]:
    designs: list[CandleDesign] = [
        DecodeAndBars(OURS_ADVANCED, tape, portion_frames=PORTION_FRAMES, advanced=True),
        Follower(FOLLOWER, tape, portion_frames=PORTION_FRAMES),
        WholeStream(STREAM, tape, portion_frames=PORTION_FRAMES),
        PlainPort(PLAIN, tape, portion_frames=PORTION_FRAMES),
        BareJson(JSON, tape, portion_frames=PORTION_FRAMES),
    ]
    try:
        from benchmarks.peers.cryptofeed_coinbase import CryptofeedCoinbase  # noqa: PLC0415
    except ImportError:
        return designs
    return [*designs, CryptofeedCoinbase(CRYPTOFEED, tape, portion_frames=PORTION_FRAMES)]


def _count_wrong(design: CandleDesign, reference: Mapping[Key, PlainCandle]) -> int | None:
    candles = design.candles()
    return None if candles is None else count_differences(candles, reference)


def _table(raced: Raced) -> Table:
    title = (
        f"{MESSAGES:,} frames of {raced.frame_bytes:.0f} bytes, {raced.products} products,"
        f" {raced.candles:,} candles; CPU time of one thread"
    )
    ours = raced.timings[OURS]
    rows = tuple(_row(name, timing, ours, raced.wrong[name]) for name, timing in raced.timings.items())
    return Table(title, _COLUMNS, rows)


def _row(name: str, timing: Timing, ours: Timing, wrong: int | None) -> tuple[str, ...]:
    fastest = timing.nanoseconds_min(PORTION_FRAMES)
    return (
        name,
        f"{fastest:,.0f}",
        f"{timing.nanoseconds_median(PORTION_FRAMES):,.0f}",
        f"{1e9 / fastest:,.0f}",
        f"{fastest / ours.nanoseconds_min(PORTION_FRAMES):.2f}",
        f"{times_as_long(timing, ours):.2f}",
        "-" if wrong is None else f"{wrong:,}",
    )


def _verdicts(raced: Raced) -> list[str]:
    """What the project promises of this path, and whether this run kept it."""
    verdicts = []
    for name, least in ((PLAIN, PLAIN_TIMES_MIN), (CRYPTOFEED, CRYPTOFEED_TIMES_MIN)):
        if name in raced.timings:
            times = times_as_long(raced.timings[name], raced.timings[OURS])
            kept = "kept" if times >= least else "NOT KEPT"
            verdicts.append(f"{kept}: {times:.2f} times as fast as {name}; promised are {least:g}")
        else:
            verdicts.append(f"not measured: {name} is not installed here (it needs Python 3.11), its row is left out")
    return verdicts


def _remarks(raced: Raced) -> list[str]:
    return [
        f"{raced.products} products: {raced.wrong[OURS]} of our {raced.candles:,} candles differ from plain exact sums;"
        f" {raced.unproven} are not proven (a tape proves neither the first nor the last candle of a product)"
    ]
